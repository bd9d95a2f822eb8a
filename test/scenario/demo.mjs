// The demo of `npm start` as a new user sees it: Corefile.example with a port of its own and a stub upstream.
import fs from 'node:fs';
import path from 'node:path';
import { startUpstream } from '../conformance/stub-upstream.mjs';
import { expect, expectEqual, sortUnique } from './checks.mjs';
import { readDemoNames, reverseName } from './demo-names.mjs';
import { PROJECT_DIR } from './programs.mjs';
import { startServer, stopServer } from './server.mjs';

/** Records the stub upstream answers for the outside world. */
export const OUTSIDE_RECORDS = [
  'www.example.com. 300 A 192.0.2.80',
  'www.example.com. 300 AAAA 2001:db8::80',
  'example.com. 300 A 192.0.2.81',
];

/** Corefile.example with the port, the upstream and every other address replaced by free ones. */
export function demoCorefile(upstream, { port = '{port}' } = {}) {
  const text = fs.readFileSync(path.join(PROJECT_DIR, 'Corefile.example'), 'utf8');
  return text
    .replaceAll('1053', port)
    .replaceAll('/etc/resolv.conf', upstream)
    .replaceAll(/manifests zones\//g, `manifests ${PROJECT_DIR}/zones/`)
    .replaceAll(/^(\s*)prometheus\b(?: +[^\s{]+)?/gm, '$1prometheus 127.0.0.1:{metrics}')
    .replaceAll(/^(\s*)health\b(?: +[^\s{]+)?/gm, '$1health 127.0.0.1:{health}')
    .replaceAll(/^(\s*)ready\b(?: +[^\s{]+)?/gm, '$1ready 127.0.0.1:{ready}');
}

export async function run(checks) {
  checks.area('demo');
  const upstream = await startUpstream({ records: OUTSIDE_RECORDS });
  try {
    const server = await startServer(demoCorefile(upstream.addr), {
      ask: ['kubernetes.default.svc.cluster.local.', 'A'],
    });
    try {
      await checkAnswers(checks, server.client);
    } finally {
      await stopServer(server);
    }
  } finally {
    await upstream.close();
  }
}

async function checkAnswers(checks, client) {
  const names = readDemoNames();
  await checks.check('every name answers its addresses over UDP and TCP', async () => {
    for (const each of names) {
      if (each.outside !== undefined) continue;
      const tcp = await askAddresses(client, each.fqdn, true);
      expectEqual(tcp, each.addresses, `${each.fqdn} over TCP`);
      const udp = await askAddresses(client, each.fqdn, false);
      const wanted =
        each.addresses.length > 20 ? udp.filter((address) => each.addresses.includes(address)) : each.addresses;
      expectEqual(udp, wanted, `${each.fqdn} over UDP`);
    }
    return `${names.length} names`;
  });
  await checks.check('60 addresses: truncated over UDP, whole with a large EDNS size and over TCP', async () => {
    const plain = await client.ask('workers.shop.svc.cluster.local.', 'A');
    expect(plain.tc && plain.sizeBytes <= 512, `tc=${plain.tc}, ${plain.sizeBytes} bytes`);
    const large = await client.ask('workers.shop.svc.cluster.local.', 'A', { udpSize: 4096 });
    expectEqual([large.tc, large.data.length], [false, 60]);
    const tcp = await client.ask('workers.shop.svc.cluster.local.', 'A', { tcp: true });
    expectEqual([tcp.tc, new Set(tcp.data).size], [false, 60]);
  });
  await checks.check('SRV of the StatefulSet names every Pod and brings the addresses', async () => {
    const reply = await client.ask('_postgres._tcp.db.shop.svc.cluster.local.', 'SRV');
    const hosts = ['db-0', 'db-1', 'db-2'].map((pod) => `${pod}.db.shop.svc.cluster.local.`);
    expectEqual(sortUnique(reply.data.map((data) => data.split(' ')[3])), hosts);
    expectEqual(reply.additional.length, 3, 'additional records');
    expect(
      reply.data.every((data) => data.split(' ')[2] === '5432'),
      `ports: ${reply.data.join('; ')}`,
    );
  });
  await checks.check('PTR of every Service address and StatefulSet Pod', async () => {
    for (const each of names.filter(
      ({ addresses, endpointOf, ports }) => endpointOf ?? (ports && addresses.length < 3),
    )) {
      for (const address of each.addresses) {
        const reply = await client.ask(reverseName(address), 'PTR');
        expectEqual(reply.data, [each.fqdn], `PTR of ${address}`);
      }
    }
  });
  await checks.check('ExternalName is an alias, and its outside target is followed', async () => {
    const reply = await client.ask('payments.shop.svc.cluster.local.', 'A');
    expectEqual(reply.data, ['192.0.2.80', 'www.example.com.']);
  });
  await checks.check('an outside name comes from the upstream, an unknown one is NXDOMAIN', async () => {
    const known = await client.ask('example.com.', 'A');
    expectEqual([known.rcode, known.data], ['NOERROR', ['192.0.2.81']]);
    const unknown = await client.ask('nope.shop.svc.cluster.local.', 'A');
    expectEqual([unknown.rcode, unknown.authority.length], ['NXDOMAIN', 1]);
  });
}

async function askAddresses(client, fqdn, tcp) {
  const replies = [await client.ask(fqdn, 'A', { tcp }), await client.ask(fqdn, 'AAAA', { tcp })];
  for (const reply of replies) expectEqual(reply?.rcode, 'NOERROR', `${fqdn} rcode`);
  return sortUnique(replies.flatMap((reply) => reply.data.filter((data) => /^[\d.]+$|:/.test(data))));
}
