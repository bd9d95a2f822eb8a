// Whole zones of a cluster over a stream: who gets them, in how many messages, and that they are one version.
import test from 'ava';
import { Answer } from '../../../../lib/chain/answer.ts';
import { finish } from '../../../../lib/chain/finish.ts';
import type { Env, Handler, Upstream, UpstreamTarget } from '../../../../lib/chain/plugin.ts';
import { TRANSPORT } from '../../../../lib/chain/query.ts';
import { createTransferHandler } from '../../../../lib/plugins/transfer/handler.ts';
import type { TransferRule } from '../../../../lib/plugins/transfer/setup.ts';
import { decodeMessage } from '../../wire-text.ts';
import { makeQuery, namespace, service, slice, TestCluster } from '../kubernetes/cluster-harness.ts';
import { makeUpstream } from '../fake-chain.ts';

const HTTP = { name: 'http', port: 80, protocol: 'TCP' };
const RULE: TransferRule = { zones: ['cluster.local.'], anyone: true, secondaries: [], source: '' };

function shop(): TestCluster {
  return new TestCluster({ transfer: true })
    .apply(
      namespace('shop'),
      service('shop', 'web', { clusterIP: '10.96.0.17', ports: [HTTP] }),
      service('shop', 'out', { type: 'ExternalName', externalName: 'x.test' }),
      service('shop', 'db', { clusterIP: 'None', ports: [HTTP] }),
      slice('shop', 'db-1', 'db', [HTTP], [{ address: '10.1.0.1', hostname: 'db-0' }, { address: '10.1.0.2' }]),
    )
    .sync();
}

function handlerOf(cluster: TestCluster, rules: readonly TransferRule[] = [RULE], env: Partial<Env> = {}): Handler {
  return createTransferHandler({ rules }, { ...cluster.env, worker: 1, ...env });
}

type Transferred = { rcode: string; aa: boolean; messages: number; records: string[] };

/** Asks as a secondary does and pulls message after message; `between` runs after each. */
async function transfer(
  handler: Handler,
  asked: { name?: string; type?: string; from?: string; transport?: number; serial?: number } = {},
  between: () => void = () => undefined,
): Promise<Transferred> {
  const query = makeQuery(asked.name ?? 'cluster.local', asked.type ?? 'AXFR', asked.from);
  query.transport = asked.transport ?? TRANSPORT.TCP;
  if (asked.serial !== undefined) addSerial(query, asked.serial);
  const answer = new Answer();
  answer.begin(query);
  await handler(query, answer);
  const records: string[] = [];
  let rcode = '';
  let messages = 0;
  for (;;) {
    const { continuation } = answer;
    const aa = answer.authoritative;
    const length = finish(query, answer);
    const message = decodeMessage(answer.bytes.slice(answer.base, answer.base + length));
    records.push(...message.answer);
    rcode = message.rcode;
    messages++;
    if (!continuation) return { rcode, aa, messages, records };
    between();
    answer.begin(query);
    continuation.next(query, answer);
    if (answer.continuation === undefined) continuation.end();
  }
}

/** Puts the SOA record of a copy into the authority section. */
function addSerial(query: ReturnType<typeof makeQuery>, serial: number): void {
  const record = Buffer.alloc(12 + 2 + 20);
  record.writeUInt16BE(0xc00c, 0);
  record.writeUInt16BE(6, 2);
  record.writeUInt16BE(1, 4);
  record.writeUInt16BE(22, 10);
  record.writeUInt32BE(serial, 14);
  const packet = Buffer.concat([query.packet.subarray(query.packetAt, query.packetAt + query.packetLength), record]);
  packet.writeUInt16BE(1, 8);
  const { transport, clientAddress } = query;
  query.parse(packet, 0, packet.length);
  query.transport = transport;
  query.clientAddress.set(clientAddress);
}

test('transfer: a cluster zone is its SOA, each Service by name, its SOA again', async (t) => {
  const { rcode, aa, records, messages } = await transfer(handlerOf(shop()));
  t.is(rcode, 'NOERROR');
  t.true(aa);
  t.is(messages, 1);
  const soa = records[0]!;
  t.regex(
    soa,
    /^cluster\.local\. 5 IN SOA ns\.dns\.cluster\.local\. hostmaster\.cluster\.local\. \d+ 7200 1800 86400 5$/,
  );
  t.deepEqual(records, [
    soa,
    'db.shop.svc.cluster.local. 5 IN A 10.1.0.1',
    'db-0.db.shop.svc.cluster.local. 5 IN A 10.1.0.1',
    '_http._tcp.db.shop.svc.cluster.local. 5 IN SRV 0 50 80 db-0.db.shop.svc.cluster.local.',
    'db.shop.svc.cluster.local. 5 IN A 10.1.0.2',
    '10-1-0-2.db.shop.svc.cluster.local. 5 IN A 10.1.0.2',
    '_http._tcp.db.shop.svc.cluster.local. 5 IN SRV 0 50 80 10-1-0-2.db.shop.svc.cluster.local.',
    'out.shop.svc.cluster.local. 5 IN CNAME x.test.',
    'web.shop.svc.cluster.local. 5 IN A 10.96.0.17',
    'web.shop.svc.cluster.local. 5 IN SRV 0 100 80 web.shop.svc.cluster.local.',
    '_http._tcp.web.shop.svc.cluster.local. 5 IN SRV 0 100 80 web.shop.svc.cluster.local.',
    soa,
  ]);
});

const REFUSED = [
  ['over UDP', { transport: TRANSPORT.UDP }],
  ['over HTTPS', { transport: TRANSPORT.HTTPS }],
  ['below the apex', { name: 'svc.cluster.local' }],
  ['of a reverse zone', { name: 'in-addr.arpa' }],
] as const;
for (const [what, asked] of REFUSED) {
  test(`transfer: ${what} is refused`, async (t) => {
    const anywhere = { ...RULE, zones: ['.'] };
    t.is((await transfer(handlerOf(shop(), [anywhere]), asked)).rcode, 'REFUSED');
  });
}

test('CVE-2026-33489: transfer: only clients that are listed, by the rule with the longest zone in labels', async (t) => {
  const narrow = { ...RULE, anyone: false, secondaries: [{ address: '192.0.2.1', port: 53 }] };
  // As texts these come before and after the narrow one, and are shorter and no shorter than it.
  const wides = ['.', 'local.'].map((zone) => ({ ...RULE, zones: [zone] }));
  for (const rules of wides.flatMap((wide) => [
    [wide, narrow],
    [narrow, wide],
  ])) {
    const handler = handlerOf(shop(), rules);
    t.is((await transfer(handler, { from: '192.0.2.2' })).rcode, 'REFUSED');
    t.is((await transfer(handler, { from: '192.0.2.1' })).rcode, 'NOERROR');
  }
});

test('transfer: before the first complete view a zone is not given out', async (t) => {
  const half = new TestCluster({ transfer: true }).apply(namespace('shop'));
  t.is((await transfer(handlerOf(half))).rcode, 'REFUSED');
  half.view.serveIncomplete();
  t.is((await transfer(handlerOf(half))).rcode, 'REFUSED');
  t.is((await transfer(handlerOf(half.sync()))).rcode, 'NOERROR');
});

test('transfer: IXFR for an older copy is the whole zone, for a current or newer one the SOA alone', async (t) => {
  const cluster = shop();
  const handler = handlerOf(cluster);
  const serial = cluster.reader.serial(cluster.tree);
  t.is((await transfer(handler, { type: 'IXFR', serial: serial - 1 })).records.length, 12);
  for (const current of [serial, serial + 1]) {
    const { aa, records } = await transfer(handler, { type: 'IXFR', serial: current });
    t.false(aa);
    t.is(records.length, 1);
  }
  t.is((await transfer(handler, { type: 'IXFR' })).rcode, 'SERVFAIL');
});

test('transfer: a large zone takes several messages and stays the version it began with', async (t) => {
  const cluster = new TestCluster({ transfer: true }).apply(namespace('shop'));
  const names = Array.from({ length: 400 }, (_, i) => `service-${String(i).padStart(4, '0')}`);
  cluster.apply(...names.map((name) => service('shop', name, { clusterIP: '10.96.0.17', ports: [HTTP] }))).sync();
  const { messages, records } = await transfer(handlerOf(cluster), {}, () => {
    cluster.delete(service('shop', 'service-0399', {}));
    cluster.apply(service('shop', 'zzz', { clusterIP: '10.96.0.18' }));
  });
  t.true(messages > 2);
  t.is(records.length, 2 + 3 * names.length);
  t.deepEqual(
    records.filter((record) => record.includes(' A ')).map((record) => record.split('.')[0]),
    names,
  );
});

test('transfer: more than eight at a time are refused, a place is free when one ends', async (t) => {
  const cluster = new TestCluster({ transfer: true }).apply(namespace('shop'));
  cluster.apply(
    ...Array.from({ length: 400 }, (_, i) => service('shop', `s${i}`, { clusterIP: '10.96.0.17', ports: [HTTP] })),
  );
  const handler = handlerOf(cluster.sync());
  const open: Answer[] = [];
  for (let i = 0; i < 9; i++) {
    const query = makeQuery('cluster.local', 'AXFR');
    query.transport = TRANSPORT.TCP;
    const answer = new Answer();
    answer.begin(query);
    await handler(query, answer);
    open.push(answer);
  }
  t.deepEqual(
    open.map(({ continuation }) => continuation !== undefined),
    [...Array.from({ length: 8 }, () => true), false],
  );
  t.is((await transfer(handler)).rcode, 'REFUSED');
  open[0]!.continuation!.end();
  t.is((await transfer(handler)).rcode, 'NOERROR');
});

test('transfer: listed servers hear of a change, at most every five seconds, three times if they do not answer', async (t) => {
  const cluster = shop();
  const sent: { to: string; message: Buffer }[] = [];
  let rcode = 0;
  const open = ({ address, port, sourceAddress }: UpstreamTarget): Upstream =>
    makeUpstream(async (message) => {
      sent.push({ to: `${address}:${port} from ${sourceAddress ?? ''}`, message: Buffer.from(message) });
      const bytes = Uint8Array.from(message);
      bytes[3] = rcode;
      return { bytes, length: bytes.length, reused: false };
    });
  const lines: string[] = [];
  const log = { ...cluster.env.log, debug: () => undefined, warning: (line: string) => void lines.push(line) };
  const rule = { ...RULE, secondaries: [{ address: '192.0.2.1', port: 5300 }], source: '127.0.0.9' };
  handlerOf(cluster, [rule], { worker: 0, log, upstreams: { open }, random: () => 7, onClose: () => undefined });
  const step = async (ms: number): Promise<number> => {
    const before = sent.length;
    for (let at = 0; at < ms; at += 1000) {
      cluster.clock.advance(1000);
      await new Promise<void>((resolve) => void setImmediate(resolve));
    }
    return sent.length - before;
  };
  t.is(await step(2000), 1);
  t.is(sent[0]!.to, '192.0.2.1:5300 from 127.0.0.9');
  t.deepEqual([...sent[0]!.message.subarray(0, 12)], [0, 7, 0x24, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  t.is(sent[0]!.message.subarray(12).toString('latin1'), '\x07cluster\x05local\0\0\x06\0\x01');
  t.is(await step(10_000), 0);
  rcode = 5;
  cluster.apply(service('shop', 'new', { clusterIP: '10.96.0.20' }));
  t.is(await step(1000), 3);
  t.deepEqual(lines, ['notify for zone "cluster.local." was not accepted by "192.0.2.1:5300": rcode was "REFUSED"']);
  cluster.apply(service('shop', 'newer', { clusterIP: '10.96.0.21' }));
  t.is(await step(3000), 0);
  t.is(await step(3000), 3);
});
