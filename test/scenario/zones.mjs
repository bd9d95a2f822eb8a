// Zones that are copied between this server and nsd, in both directions, with NOTIFY: nothing but a notification can bring a change
// within the time these checks wait, the zones' refresh time is an hour. kdig is the asking side.
import fs from 'node:fs';
import path from 'node:path';
import { expect, expectEqual } from './checks.mjs';
import { findFreePort, findProgram, makeFolder, Program, runProgram, waitFor } from './programs.mjs';
import { DnsClient } from './dns-client.mjs';
import { writeKey } from './dnssec-keys.mjs';
import { essence, isLoop, makeQuestion, makeRandom, makeZone } from './random-zones.mjs';
import { startServer, stopServer } from './server.mjs';

const WAIT_MS = 90_000;
const HOSTS = 300;
/** Random zones of each kind, and questions for each. */
const ZONES = 10;
const QUESTIONS = 50;

const soa = (serial) => `z.test. 60 IN SOA ns.z.test. host.z.test. ${serial} 3600 600 86400 60`;
const header = (serial) => `${soa(serial)}\nz.test. 60 IN NS ns.z.test.\nns.z.test. 60 IN A 127.0.0.1\n`;
/** Many hosts, a name below a cut, text with quotes, a name with a dot in a label. */
const zoneText = (serial, more) =>
  `${header(serial)}${Array.from({ length: HOSTS }, (_, n) => `host${n}.z.test. 60 IN A 192.0.2.${n % 250}\n`).join('')}` +
  `sub.z.test. 60 IN NS ns.sub.z.test.\nns.sub.z.test. 60 IN A 192.0.2.3\nt.z.test. 60 IN TXT "a \\"b\\"" "c"\n` +
  `a\\.b.z.test. 60 IN A 192.0.2.7\n*.w.z.test. 60 IN MX 5 mail.example.\n${more}`;
const FIRST = zoneText(1, 'old.z.test. 60 IN A 192.0.2.100\nkept.z.test. 60 IN A 192.0.2.101\n');
const SECOND = zoneText(2, 'new.z.test. 60 IN A 192.0.2.102\nkept.z.test. 60 IN A 192.0.2.101\n');

export async function run(checks) {
  checks.area('zones');
  const missing = ['nsd', 'kdig'].filter((name) => findProgram(name) === undefined);
  if (missing.length > 0) {
    checks.skip('transfers with another server', `${missing.join(' and ')} is not installed`);
    return;
  }
  await checkCopyFromNsd(checks);
  await checkCopyToNsd(checks);
  for (const seed of [3, 10]) await checkRandomZones(checks, seed);
}

/** nsd is the primary. */
async function checkCopyFromNsd(checks) {
  const folder = makeFolder('nsd-primary');
  const port = await findFreePort();
  writeFile(folder, 'z.test.zone', FIRST);
  const xfr = [
    'provide-xfr: 127.0.0.1 NOKEY',
    `notify: 127.0.0.1@${port} NOKEY`,
    'store-ixfr: yes',
    'create-ixfr: yes',
  ];
  const nsdPort = await findFreePort();
  const server = await startServer(
    `z.test:{port} {
    bind 127.0.0.1
    prometheus 127.0.0.1:{metrics}
    secondary {
        transfer from 127.0.0.1:${nsdPort}
    }
    transfer {
        to *
    }
}
`,
    // Refused from the start: nsd is to find somebody who hears of its changes.
    { port, ask: ['elsewhere.', 'SOA'], timeoutMs: WAIT_MS },
  );
  const nsd = await startNsd(folder, xfr, nsdPort);
  try {
    await checks.check('secondary: the copy of a zone of nsd is the zone', async () => {
      await expectCopy(port, nsd.port, server, nsd.program);
      expect((await transferred(port)).length > HOSTS, 'too few records');
    });
    await checks.check('secondary: a change in nsd comes by NOTIFY, as the changes only (IXFR)', async () => {
      writeFile(folder, 'z.test.zone', SECOND);
      nsd.program.signal('SIGHUP');
      await waitFor('the new version', () => hasSerial(server.client, 2), WAIT_MS, 100).catch((error) => {
        throw new Error(`${error.message}\n${server.program.output}\n${nsd.program.output}`);
      });
      await expectCopy(port, nsd.port, server, nsd.program);
      const { answers } = await server.client.ask('new.z.test.', 'A');
      expectEqual(answers.length, 1, 'answers');
      expectEqual((await server.client.ask('old.z.test.', 'A')).rcode, 'NXDOMAIN', 'a removed name');
      const metrics = await (await fetch(`http://127.0.0.1:${server.metrics}/metrics`)).text();
      expect(/^clusterdns_secondary_incremental_transfers_total 1$/m.test(metrics), server.program.output);
      expect(/\(changes only\)/.test(server.program.stdout), server.program.output);
    });
    await checks.check('secondary: a zone that nsd keeps no changes of is fetched whole', async () => {
      await nsd.program.stop();
      for (const file of fs.readdirSync(folder)) if (file.includes('.ixfr')) fs.rmSync(path.join(folder, file));
      writeFile(folder, 'z.test.zone', zoneText(3, ''));
      const again = await startNsd(folder, xfr, nsd.port);
      nsd.program = again.program;
      await waitFor('the new version', () => hasSerial(server.client, 3), WAIT_MS, 100);
      await expectCopy(port, nsd.port, server, nsd.program);
    });
    await checks.check('transfer: kdig asks with serials of before, of now and of later', async () => {
      const old = await kdig(port, ['IXFR=1', 'z.test']);
      expect(old.filter((line) => line.includes(' SOA ')).length === 2, old.join('\n'));
      expectEqual(old, await kdig(port, ['AXFR', 'z.test']), 'an older version gets the zone');
      for (const serial of [3, 9])
        expectEqual((await kdig(port, [`IXFR=${serial}`, 'z.test'])).length, 1, `IXFR=${serial}`);
    });
  } finally {
    await stopServer(server);
    await nsd.program.stop();
  }
}

/** nsd is the secondary. */
async function checkCopyToNsd(checks) {
  const folder = makeFolder('nsd-secondary');
  const port = await findFreePort();
  const nsdPort = await findFreePort();
  const server = await startServer(
    `z.test:{port} {
    bind 127.0.0.1
    file {dir}/z.test.zone {
        reload 2s
    }
    transfer {
        to 127.0.0.1:${nsdPort}
    }
}
`,
    { port, files: { 'z.test.zone': FIRST }, ask: ['z.test.', 'SOA'], timeoutMs: WAIT_MS },
  );
  const nsd = await startNsd(
    folder,
    [`request-xfr: 127.0.0.1@${port} NOKEY`, 'allow-notify: 127.0.0.1 NOKEY'],
    nsdPort,
  );
  try {
    await checks.check('transfer: nsd copies a zone file', async () => {
      await waitFor('a copy in nsd', () => hasSerialAt(nsdPort, 1), WAIT_MS, 200);
      await expectCopy(nsdPort, port, server, nsd.program);
    });
    await checks.check('transfer: a change of the file gets to nsd by NOTIFY', async () => {
      writeFile(server.dir, 'z.test.zone', SECOND);
      await waitFor('the new version in nsd', () => hasSerialAt(nsdPort, 2), WAIT_MS, 200);
      await expectCopy(nsdPort, port, server, nsd.program);
    });
  } finally {
    await stopServer(server);
    await nsd.program.stop();
  }
}

function writeFile(folder, name, text) {
  fs.writeFileSync(path.join(folder, `${name}.new`), text);
  fs.renameSync(path.join(folder, `${name}.new`), path.join(folder, name));
}

/** Both servers with the same zones, unsigned and signed, asked the same. */
async function checkRandomZones(checks, seed) {
  const random = makeRandom(seed);
  const folder = makeFolder('random-zones');
  const zones = Array.from({ length: 2 * ZONES }, (_, i) => makeZone(random, `z${i}.test.`));
  const { base } = writeKey(folder, 'test.', 'ECDSAP256SHA256');
  for (const { origin, text } of zones) writeFile(folder, `db.${origin.slice(0, -1)}`, text);
  const blocks = zones.map(({ origin }, i) => {
    const file = `${folder}/db.${origin.slice(0, -1)}`;
    if (i < ZONES) return `${origin}:{port} {\n    bind 127.0.0.1\n    file ${file}\n}\n`;
    const sign = `sign ${file} {\n        key file ${base}\n        directory ${folder}\n    }`;
    return `${origin}:{port} {\n    bind 127.0.0.1\n    ${sign}\n    file ${file}.signed {\n        reload 2s\n    }\n}\n`;
  });
  const server = await startServer(blocks.join(''), { ask: [zones.at(-1).origin, 'DNSKEY'], timeoutMs: WAIT_MS });
  await waitFor('all zones', () => areServed(server.client, zones), WAIT_MS, 200);
  const names = zones.map(({ origin }, i) => [origin, `db.${origin.slice(0, -1)}${i < ZONES ? '' : '.signed'}`]);
  const nsd = await startNsdWith(folder, names);
  const client = new DnsClient(nsd.port);
  try {
    for (const kind of ['unsigned', 'signed']) {
      await checks.check(`file: random ${kind} zones are answered as by nsd, seed ${seed}`, () =>
        compareAnswers(
          random,
          kind === 'signed' ? zones.slice(ZONES) : zones.slice(0, ZONES),
          kind === 'signed',
          client,
          server.client,
        ),
      );
    }
  } finally {
    client.close();
    await stopServer(server);
    await nsd.program.stop();
  }
}

async function areServed(client, zones) {
  for (const [i, { origin }] of zones.entries()) {
    const reply = await client.ask(origin, i < ZONES ? 'SOA' : 'DNSKEY');
    if (reply?.answers.length !== 1) return false;
  }
  return true;
}

async function compareAnswers(random, zones, dnssecOk, nsd, ours) {
  let asked = 0;
  for (const zone of zones) {
    for (let i = 0; i < QUESTIONS; i++) {
      const [name, type] = makeQuestion(random, zone);
      const query = { udpSize: 4096, dnssecOk, timeoutMs: 10_000 };
      const [theirs, own] = [await nsd.ask(name, type, query), await ours.ask(name, type, query)];
      expect(theirs !== undefined && own !== undefined, `${name} ${type}: no reply`);
      if (own.rcode === 'SERVFAIL' && isLoop(name, theirs)) continue;
      asked++;
      expectEqual(essence(own), essence(theirs), `${name} ${type} in\n${zone.text}`);
    }
  }
  return `${asked} answers`;
}

/** nsd with the zone z.test and these options of it; answers when this resolves. */
function startNsd(folder, options, port) {
  const provide = options.some((line) => line.startsWith('provide-xfr')) ? [] : ['provide-xfr: 127.0.0.1 NOKEY'];
  return startNsdWith(folder, [['z.test.', 'z.test.zone', ...options, ...provide]], port);
}

/** nsd with zones, each [name, file, ...options]. */
async function startNsdWith(folder, zones, port) {
  const at = port ?? (await findFreePort());
  const settings = [
    `server:\n  ip-address: 127.0.0.1\n  port: ${at}\n  username: ""\n  chroot: ""\n  zonesdir: "${folder}"`,
    `  pidfile: "${folder}/nsd.pid"\n  zonelistfile: "${folder}/zones"\n  xfrdfile: ""\n  xfrdir: "${folder}"\n  database: ""`,
    '  server-count: 1\n  rrl-ratelimit: 0\nremote-control:\n  control-enable: no',
    ...zones.map(
      ([name, file, ...options]) => `zone:\n  name: ${name}\n  zonefile: ${file}\n  ${options.join('\n  ')}`,
    ),
  ];
  fs.writeFileSync(path.join(folder, 'nsd.conf'), `${settings.join('\n')}\n`);
  const program = new Program('nsd', ['-d', '-c', path.join(folder, 'nsd.conf')]);
  await waitFor(
    'nsd',
    async () => {
      if (program.ended !== undefined) throw new Error(program.output);
      const { ended } = await runProgram('kdig', [
        '@127.0.0.1',
        '-p',
        String(at),
        '+timeout=1',
        '+retry=0',
        'z.test',
        'SOA',
      ]);
      return ended.code === 0;
    },
    WAIT_MS,
    100,
  );
  return { program, port: at };
}

async function hasSerial(client, serial) {
  const reply = await client.ask('z.test.', 'SOA');
  return reply?.answers[0]?.includes(` ${serial} 3600 `);
}

async function hasSerialAt(port, serial) {
  return (await kdig(port, ['z.test', 'SOA'])).some((line) => line.includes(` ${serial} 3600 `));
}

/** Both give out the same zone; asked again while one of them has no answer: the machine may be busy. */
async function expectCopy(copyPort, port, server, nsd) {
  const [copy, original] = await waitFor(
    'transfer',
    async () => {
      const zones = [await transferred(copyPort), await transferred(port)];
      return zones.every(({ length }) => length > 0) && zones;
    },
    WAIT_MS,
    200,
  ).catch((error) => {
    throw new Error(`${error.message}\n${server.program.output}\n${nsd.output}`);
  });
  expectEqual(copy, original, 'the copy');
}

/** Records of a zone as a transfer gives them, sorted. */
async function transferred(port) {
  return (await kdig(port, ['AXFR', 'z.test'])).sort((a, b) => (a < b ? -1 : 1));
}

/** Records that are answered, blanks made one. */
async function kdig(port, words) {
  const { stdout } = await runProgram('kdig', ['@127.0.0.1', '-p', String(port), '+tcp', '+nocomments', ...words]);
  return stdout
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith(';'))
    .map((line) => line.replace(/\s+/g, ' '));
}
