// EDNS between client and upstream: what goes on and what stays (RFC 6891, 7828, 7830, 7871, 7873).
import test from 'ava';
import dnsPacket from 'dns-packet';
import { Query, TRANSPORT } from '../../../../lib/chain/query.ts';
import { parseNameLower } from '../../../../lib/wire/name.ts';
import { ask } from '../fake-chain.ts';
import { type ForwardRig, makeForwardRig } from './rig.ts';

type Option = { readonly code: number; readonly data: Buffer };

function queryWith(rig: ForwardRig, options: readonly Option[], { renamed = false, trailing = false } = {}): Query {
  const opt = { type: 'OPT', name: '.', udpPayloadSize: 1400, flags: 0x8000, options };
  const signature = { type: 'NULL', name: 'key.test', ttl: 0, data: Buffer.from('0102030405', 'hex') };
  const bytes = dnsPacket.encode({
    type: 'query',
    id: 77,
    flags: dnsPacket.RECURSION_DESIRED | 0x10,
    questions: [{ type: 'A', name: 'x.test' }],
    additionals: (trailing ? [opt, signature] : [opt]) as unknown as dnsPacket.Answer[],
  });
  const query = new Query();
  if (query.parse(bytes, 0, bytes.length) !== 0) throw new Error('test query is malformed');
  query.receivedMs = rig.clock.monotonicMs();
  query.transport = TRANSPORT.UDP;
  query.sizeLimit = 1400;
  if (renamed) query.setName(parseNameLower('longer.name.test.')!);
  return query;
}

const COOKIE = { code: 10, data: Buffer.from('0102030405060708', 'hex') };
const SUBNET = { code: 8, data: Buffer.from('000118000a0b0c', 'hex') };
const PADDING = { code: 12, data: Buffer.alloc(40) };
const KEEPALIVE = { code: 11, data: Buffer.alloc(0) };
const NSID = { code: 3, data: Buffer.alloc(0) };

const CASES = [
  // options                                   go on
  [[], []],
  [[SUBNET], [SUBNET]],
  [[COOKIE], []],
  [[COOKIE, SUBNET], [SUBNET]],
  [[SUBNET, COOKIE], [SUBNET]],
  [
    [PADDING, NSID, KEEPALIVE, SUBNET, COOKIE],
    [NSID, SUBNET],
  ],
] as const;
for (const [options, expected] of CASES) {
  for (const how of [{}, { renamed: true }, { trailing: true }]) {
    const title = `options ${options.map(({ code }) => code).join(' ') || 'none'} ${JSON.stringify(how)}`;
    test(`${title}: ${expected.map(({ code }) => code).join(' ') || 'none'} go on, DO, CD and size too`, async (t) => {
      const rig = makeForwardRig('forward . 192.0.2.1', {});
      t.is((await ask(rig.handler, queryWith(rig, options, how))).answer.rcode, 3);
      const sent = dnsPacket.decode(Buffer.from(rig.exchanges[0]!.message));
      const opt = sent.additionals!.find((record) => record.type === 'OPT') as unknown as {
        udpPayloadSize: number;
        flag_do: boolean;
        options: Option[];
      };
      t.deepEqual(
        opt.options.map(({ code }) => code),
        expected.map(({ code }) => code),
      );
      t.is(opt.udpPayloadSize, 1400);
      t.true(opt.flag_do);
      t.true(sent.flag_cd);
      t.is(sent.additionals!.length, 'trailing' in how ? 2 : 1);
    });
  }
}

test('clients with cookies of their own share one exchange', (t) => {
  const rig = makeForwardRig('forward . 192.0.2.1', { 1: { silent: true } });
  for (let i = 0; i < 50; i++) {
    const cookie = { code: 10, data: Buffer.alloc(8, i + 1) };
    void ask(rig.handler, queryWith(rig, [cookie]));
  }
  t.is(rig.exchanges.length, 1);
});
