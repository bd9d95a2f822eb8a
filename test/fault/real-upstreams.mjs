// nsd and unbound as upstreams, in every way they can be asked: what a scripted upstream cannot show. Main thread of a test program.
import fs from 'node:fs';
import path from 'node:path';
import { expect, expectEqual } from '../scenario/checks.mjs';
import { DnsClient } from '../scenario/dns-client.mjs';
import { Program, findFreePort, findProgram, makeFolder, waitFor } from '../scenario/programs.mjs';
import { startServer, stopServer } from '../scenario/server.mjs';
import { createCertificate } from '../unit/io/certificate.ts';
import { READY, corefile, readMetric } from './rig.mjs';

const HOSTS = 200;
const WAIT_MS = 30_000;
const host = (i) => `Host-${i}.Many-Letters.z.test.`;
const address = (i) => `192.0.2.${i % 250}`;

/** Hosts, a record too long for UDP, an alias out of the zone. */
const ZONE = `z.test. 60 IN SOA ns.z.test. host.z.test. 1 3600 600 86400 60
z.test. 60 IN NS ns.z.test.
ns.z.test. 60 IN A 127.0.0.1
${Array.from({ length: HOSTS }, (_, i) => `${host(i)} 60 IN A ${address(i)}`).join('\n')}
${Array.from({ length: 20 }, (_, i) => `long.z.test. 60 IN TXT "${String(i).padStart(200, 'x')}"`).join('\n')}
alias.z.test. 60 IN CNAME ${host(7)}
`;

export async function run(checks) {
  checks.area('real upstreams');
  const missing = ['nsd', 'unbound', 'openssl'].filter((name) => findProgram(name) === undefined);
  if (missing.length > 0) return checks.skip('nsd and unbound', `${missing.join(' and ')} is not installed`);
  const folder = makeFolder('real-upstreams');
  const nsd = await retry(() => startNsd(folder));
  const unbound = await retry(() => startUnbound(folder, nsd));
  try {
    for (const [name, to] of Object.entries({ nsd: nsd.to, unbound: unbound.to })) {
      await checks.check(`${name} keeps the letter case: case_mixing has no mismatch, clients see their own`, () =>
        using([`forward . ${to} {`, 'case_mixing', '}'], mixedCase),
      );
      await checks.check(`${name}: a long answer is TC over UDP, whole over TCP and with prefer_udp`, () =>
        using([`forward . ${to} {`, 'prefer_udp', '}'], longAnswer),
      );
    }
    const { tls, https, ca } = unbound;
    await checks.check('unbound over TLS: the right name of the certificate is taken', () =>
      using([`forward . tls://127.0.0.1:${tls} {`, `tls ${ca}`, 'tls_servername dns.test', '}'], allHosts),
    );
    await checks.check('unbound over TLS: a wrong name and an unknown authority are refused', async () => {
      const wrong = [[`tls ${ca}`, 'tls_servername other.test'], ['tls_servername dns.test']];
      for (const lines of wrong) await using([`forward . tls://127.0.0.1:${tls} {`, ...lines, '}'], nothing);
    });
    for (const method of ['GET', 'POST']) {
      await checks.check(`unbound over HTTPS by ${method}`, () =>
        using([`forward . https://127.0.0.1%dns.test:${https} {`, `tls ${ca}`, `doh_method ${method}`, '}'], allHosts),
      );
    }
  } finally {
    await nsd.program.stop();
    await unbound.program.stop();
  }
  return undefined;
}

async function using(lines, body) {
  const server = await startServer(corefile(lines.join('\n')), READY);
  try {
    return await body(server);
  } finally {
    await stopServer(server);
  }
}

async function allHosts(server) {
  for (let i = 0; i < HOSTS; i++) {
    const data = (await server.client.ask(host(i), 'A', { timeoutMs: 5000 }))?.data;
    expectEqual(data, [address(i)], host(i));
  }
  const alias = await server.client.ask('alias.z.test.', 'A', { timeoutMs: 5000 });
  expectEqual(alias?.answers.length, 2, 'alias');
  return `${HOSTS} names`;
}

async function mixedCase(server) {
  await allHosts(server);
  const { answers } = await server.client.ask('HOST-3.many-LETTERS.z.test.', 'A');
  expectEqual(answers, [`HOST-3.many-LETTERS.z.test. 60 IN A ${address(3)}`]);
  const mismatches = await readMetric(server, 'clusterdns_forward_case_mismatches_total');
  expect(mismatches === 0, `${mismatches} mismatches`);
  return `${HOSTS} names, no mismatch`;
}

async function longAnswer(server) {
  const short = await server.client.ask('long.z.test.', 'TXT', { udpSize: 512 });
  expect(short?.tc === true && short.sizeBytes <= 512, `UDP: ${JSON.stringify(short)}`);
  const whole = await server.client.ask('long.z.test.', 'TXT', { tcp: true });
  expect(whole?.tc === false && whole.answers.length === 20, 'TCP');
  const large = await server.client.ask('long.z.test.', 'TXT', { udpSize: 8192 });
  expect(large?.tc === false && large.answers.length === 20, 'a client that takes 8 KiB');
}

async function nothing(server) {
  const reply = await server.client.ask(host(0), 'A', { timeoutMs: 10_000 });
  expectEqual(reply?.rcode, 'SERVFAIL');
  await waitFor('a line that says why', () => /certificate/i.test(server.program.output), 5000);
}

/** Once more when a port that was free has been taken by another program meanwhile. */
async function retry(start, attempts = 5) {
  try {
    return await start();
  } catch (error) {
    if (attempts === 1 || !/in use/i.test(String(error))) throw error;
    return retry(start, attempts - 1);
  }
}

async function startNsd(folder) {
  const port = await findFreePort();
  fs.writeFileSync(path.join(folder, 'z.test.zone'), ZONE);
  const settings = `server:
  ip-address: 127.0.0.1
  port: ${port}
  username: ""
  chroot: ""
  zonesdir: "${folder}"
  pidfile: "${folder}/nsd.pid"
  zonelistfile: "${folder}/zones"
  xfrdfile: ""
  xfrdir: "${folder}"
  database: ""
  server-count: 1
  rrl-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: z.test
  zonefile: z.test.zone
`;
  fs.writeFileSync(path.join(folder, 'nsd.conf'), settings);
  const program = new Program('nsd', ['-d', '-c', path.join(folder, 'nsd.conf')]);
  await waitAnswering(program, port);
  return { program, port, to: `127.0.0.1:${port}` };
}

/** Resolves z.test by asking nsd; plain, by TLS and by HTTPS. */
async function startUnbound(folder, nsd) {
  const [port, tls, https] = [await findFreePort(), await findFreePort(), await findFreePort()];
  const { cert, key } = createCertificate('dns.test');
  const ca = path.join(folder, 'cert.pem');
  fs.writeFileSync(ca, cert);
  fs.writeFileSync(path.join(folder, 'key.pem'), key);
  const settings = `server:
  interface: 127.0.0.1@${port}
  interface: 127.0.0.1@${tls}
  interface: 127.0.0.1@${https}
  tls-port: ${tls}
  https-port: ${https}
  tls-service-pem: "${ca}"
  tls-service-key: "${folder}/key.pem"
  username: ""
  chroot: ""
  directory: "${folder}"
  pidfile: "${folder}/unbound.pid"
  use-syslog: no
  num-threads: 1
  do-not-query-localhost: no
  module-config: "iterator"
  local-zone: "test." nodefault
  access-control: 127.0.0.0/8 allow
remote-control:
  control-enable: no
stub-zone:
  name: z.test
  stub-addr: 127.0.0.1@${nsd.port}
`;
  fs.writeFileSync(path.join(folder, 'unbound.conf'), settings);
  const program = new Program('unbound', ['-d', '-c', path.join(folder, 'unbound.conf')]);
  await waitAnswering(program, port);
  return { program, to: `127.0.0.1:${port}`, tls, https, ca };
}

async function waitAnswering(program, port) {
  const client = new DnsClient(port);
  await waitFor(
    `answer of ${program.command}`,
    async () => {
      if (program.ended !== undefined) throw new Error(program.output);
      return (await client.ask('ns.z.test.', 'A', { timeoutMs: 300 }))?.rcode === 'NOERROR';
    },
    WAIT_MS,
  ).finally(() => client.close());
}
