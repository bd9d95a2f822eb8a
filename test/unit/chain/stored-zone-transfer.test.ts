import test from 'ava';
import { Answer } from '../../../lib/chain/answer.ts';
import { TRANSFER, type ZoneTransfer } from '../../../lib/chain/zone-transfer.ts';
import { describe, makeQuery, ZoneRig } from './zone-rig.ts';

const ZONE = `@ 60 IN SOA ns h 7 2 3 4 5
@ 60 IN NS ns
@ 60 IN MX 10 www
z 60 IN A 192.0.2.9
ns 60 IN A 192.0.2.53
www 60 IN A 192.0.2.1
www 60 IN A 192.0.2.2
www 30 IN TXT "x"
a.b.ent 60 IN A 192.0.2.3
sub 60 IN NS ns.sub
ns.sub 60 IN A 192.0.2.4
`;
const EXPECTED = [
  'z.test. 60 SOA ns.z.test. h.z.test. 7 2 3 4 5',
  'z.test. 60 NS ns.z.test.',
  'z.test. 60 MX 10 www.z.test.',
  'a.b.ent.z.test. 60 A 192.0.2.3',
  'ns.z.test. 60 A 192.0.2.53',
  'sub.z.test. 60 NS ns.sub.z.test.',
  'ns.sub.z.test. 60 A 192.0.2.4',
  'www.z.test. 60 A 192.0.2.1',
  'www.z.test. 60 A 192.0.2.2',
  'www.z.test. 30 TXT "x"',
  'z.z.test. 60 A 192.0.2.9',
  'z.test. 60 SOA ns.z.test. h.z.test. 7 2 3 4 5',
].map((line) => `answer ${line}`);

async function open(
  name = 'z.test',
): Promise<{ rig: ZoneRig; transfer: ZoneTransfer | undefined; next: (limit: number) => [string[], number] }> {
  const rig = new ZoneRig(['z.test.']);
  await rig.publish(ZONE, 'z.test.');
  const query = makeQuery(name, 'AXFR');
  const transfer = rig.offers.transferers[0]!.open(query);
  const next = (limit: number): [string[], number] => {
    const answer = new Answer();
    answer.begin(query);
    const state = transfer!.addRecords(answer, limit);
    return [describe(answer, answer.length).slice(1), state];
  };
  return { rig, transfer, next };
}

test('transfer: the whole zone in canonical order between its SOA records', async (t) => {
  const { transfer, next } = await open();
  t.is(transfer?.serial, 7);
  t.deepEqual(next(65_000), [EXPECTED, TRANSFER.DONE]);
  t.is(transfer?.records, EXPECTED.length);
});

test('transfer: small messages together hold the same records', async (t) => {
  const { next } = await open();
  const all: string[] = [];
  let messages = 0;
  for (let state: number = TRANSFER.MORE; state === TRANSFER.MORE; messages++) {
    const [lines, after] = next(60);
    all.push(...lines);
    state = after;
  }
  t.deepEqual(all, EXPECTED);
  t.true(messages > 4);
});

test('transfer: another version in the middle breaks it off', async (t) => {
  const { rig, next } = await open();
  t.is(next(60)[1], TRANSFER.MORE);
  await rig.publish(ZONE.replace(' 7 ', ' 8 '), 'z.test.');
  t.deepEqual(next(60), [[], TRANSFER.BROKEN]);
});

test('transfer: only the apex of a zone that is served opens; its serial is told', async (t) => {
  t.is((await open('www.z.test')).transfer, undefined);
  t.is((await open('other.test')).transfer, undefined);
  const { rig } = await open();
  t.deepEqual(rig.offers.transferers[0]!.zones(), [{ zone: 'z.test.', serial: 7 }]);
  rig.publisher.setExpired(Buffer.from('\x01z\x04test\0', 'latin1'), true);
  t.deepEqual(rig.offers.transferers[0]!.zones(), []);
  t.is(rig.offers.transferers[0]!.open(makeQuery('z.test', 'AXFR')), undefined);
});
