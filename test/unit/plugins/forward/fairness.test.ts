// No client can take all places at upstreams, equal questions take one, and what is remembered of clients is bounded.
import test from 'ava';
import { Answer } from '../../../../lib/chain/answer.ts';
import { Outcome } from '../../../../lib/chain/outcome.ts';
import { ManualClock } from '../../../../lib/base/clock.ts';
import { Admission, REFUSAL } from '../../../../lib/plugins/forward/admission.ts';
import { SharedState, createSharedState } from '../../../../lib/plugins/forward/shared-state.ts';
import { decode, makeQuery } from '../fake-chain.ts';
import { type ForwardRig, makeForwardRig } from './rig.ts';

function queryOf(rig: { clock: ManualClock }, name: string, client: readonly number[]) {
  const query = makeQuery(name, rig.clock, { edns: true });
  query.clientAddress.set(client);
  query.family = client.length === 4 ? 4 : 6;
  return query;
}

/** Sends a query on its way; what it got at once, or undefined when it waits. */
function send(rig: ForwardRig, name: string, client: readonly number[]): { rcode: number; answer: Answer } | undefined {
  const query = queryOf(rig, name, client);
  const answer = new Answer();
  answer.begin(query);
  const result = rig.handler(query, answer);
  return typeof result === 'object' ? undefined : { rcode: answer.rcode, answer };
}

const NOISY = [10, 0, 0, 1];
const HONEST = [10, 0, 0, 2];

test('a flood of one client takes a quarter of the places while upstreams answer', (t) => {
  const rig = makeForwardRig('forward . 192.0.2.1', { 1: { afterMs: 200 } });
  let refused = 0;
  for (let i = 0; i < 4000; i++) if (send(rig, `n${i}.test`, NOISY)) refused++;
  t.is(refused, 2750);
  for (let i = 0; i < 1000; i++) t.is(send(rig, `h${i}.test`, HONEST), undefined);
});

test('while upstreams say nothing a flood of one client takes half of the places at most; others still get in', (t) => {
  const rig = makeForwardRig('forward . 192.0.2.1', { 1: { silent: true } });
  let refused = 0;
  for (let i = 0; i < 4000; i++) {
    if (send(rig, `n${i}.test`, NOISY)) refused++;
    if (i === 1000) rig.clock.advance(300);
  }
  t.is(refused, 1500);
  for (let i = 0; i < 1000; i++) t.is(send(rig, `h${i}.test`, HONEST), undefined);
  t.is(rig.metric('clusterdns_forward_refused_total', { reason: 'client' }), 1500);
});

test('a client that asks faster than its rate is refused with the reason, and let in again later', async (t) => {
  const rig = makeForwardRig('forward . 192.0.2.1 {\n client_rate 100\n}', {});
  const flood = async (count: number): Promise<number> => {
    let refused = 0;
    for (let i = 0; i < count; i++) {
      if (send(rig, `n${i}.test`, NOISY)) refused++;
      if (i % 50 === 0) await new Promise<void>((resolve) => void setImmediate(resolve));
    }
    return refused;
  };
  t.is(await flood(500), 300);
  t.is(send(rig, 'h.test', HONEST), undefined);
  rig.clock.advance(1000);
  t.is(await flood(500), 400);
  t.is(rig.metric('clusterdns_forward_refused_total', { reason: 'client_rate' }), 700);
  const query = queryOf(rig, 'one.test', NOISY);
  const answer = new Answer();
  answer.begin(query);
  t.is(rig.handler(query, answer), Outcome.FAILED);
  const { packet } = decode(query, answer, Outcome.FAILED);
  const opt = packet.additionals!.find((record) => record.type === 'OPT') as unknown as {
    options: { code: number; data: Buffer }[];
  };
  t.is(answer.rcode, 5);
  t.is(opt.options[0]!.code, 15);
  t.is(opt.options[0]!.data.toString('latin1', 2), 'too many queries of this client');
});

test('max_concurrent: one client alone gets all but an eighth, which is kept for those with little', (t) => {
  const rig = makeForwardRig('forward . 192.0.2.1 {\n max_concurrent 1000\n}', { 1: { silent: true } });
  let refused = 0;
  for (let i = 0; i < 1000; i++) if (send(rig, `n${i}.test`, NOISY)) refused++;
  t.is(refused, 125);
  t.is(rig.metric('clusterdns_forward_refused_total', { reason: 'client' }), 125);
  for (let i = 0; i < 125; i++) t.is(send(rig, `h${i}.test`, HONEST), undefined);
  t.is(send(rig, 'one-more.test', HONEST)?.rcode, 5);
  t.is(rig.metric('clusterdns_forward_refused_total', { reason: 'max_concurrent' }), 1);
});

test('a small max_concurrent is for whoever comes first', (t) => {
  const rig = makeForwardRig('forward . 192.0.2.1 {\n max_concurrent 10\n}', { 1: { silent: true } });
  for (let i = 0; i < 10; i++) t.is(send(rig, `n${i}.test`, NOISY), undefined);
  t.is(send(rig, 'one-more.test', NOISY)?.rcode, 5);
  t.is(rig.metric('clusterdns_forward_refused_total', { reason: 'max_concurrent' }), 1);
});

test('places and shares are those of all workers together; a worker that was replaced gives its own back', (t) => {
  const memory = createSharedState();
  const rig = { clock: new ManualClock() };
  const start = (worker: number) => new Admission(new SharedState(memory, worker), 0, 0, () => true);
  const workers = [start(0), start(1)];
  const flood = (count: number, client: readonly number[]): number => {
    let taken = 0;
    for (let i = 0; i < count; i++) if (workers[i & 1]!.enter(queryOf(rig, 'x.test', client), 0) >= 0) taken++;
    return taken;
  };
  t.is(flood(5000, NOISY), 2500);
  t.is(flood(100, HONEST), 100);
  workers[1] = start(1);
  t.is(flood(5000, NOISY), 1225);
});

test('the places of all workers are 5,000', (t) => {
  const rig = makeForwardRig('forward . 192.0.2.1', { 1: { silent: true } });
  let refused = 0;
  for (let i = 0; i < 6000; i++) if (send(rig, `n${i}.test`, [10, 0, i >> 8, i & 255])) refused++;
  // The last few places may be refused to clients whose cells others use, too: which ones they are is random.
  t.is(refused, 1000);
  t.true(rig.metric('clusterdns_forward_refused_total', { reason: 'total' }) > 0);
});

test('places are given back: 50,000 queries one after the other from one client are all let in', async (t) => {
  const rig = makeForwardRig('forward . 192.0.2.1', {});
  let refused = 0;
  for (let i = 0; i < 50_000; i++) {
    if (send(rig, `n${i % 100}.test`, NOISY)) refused++;
    if (i % 100 === 99) await new Promise<void>((resolve) => void setImmediate(resolve));
    rig.exchanges.length = 0;
  }
  t.is(refused, 0);
});

test('clients are told apart by IPv4 address and by IPv6 /64; a million of them take a bounded table', (t) => {
  const admission = new Admission(new SharedState(createSharedState(), 0), 0, 1);
  const clock = new ManualClock();
  const rig = { clock };
  const enter = (client: readonly number[]): boolean => admission.enter(queryOf(rig, 'x.test', client), 0) >= 0;
  const host = (last: number, net: number): number[] => [0x20, 1, 0xd, 0xb8, 0, 0, 0, net, 0, 0, 0, 0, 0, 0, 0, last];
  t.deepEqual([enter(NOISY), enter(NOISY), enter(NOISY), enter(HONEST)], [true, true, false, true]);
  t.deepEqual([enter(host(1, 1)), enter(host(2, 1)), enter(host(3, 1)), enter(host(1, 2))], [true, true, false, true]);
  const query = queryOf(rig, 'x.test', [0, 0, 0, 0]);
  for (let i = 0; i < 1_000_000; i++) {
    query.clientAddress.set([i >>> 24, i >>> 16, i >>> 8, i]);
    const place = admission.enter(query, 0);
    if (place >= 0) admission.leave(place);
  }
  t.true(admission.clientCount <= 8192, `${admission.clientCount}`);
  t.not(admission.enter(query, 0), -1 - REFUSAL.TOTAL);
});

test('equal questions in any letter case from any client are one exchange; DO, CD, type and class keep them apart', async (t) => {
  const rig = makeForwardRig('forward . 192.0.2.1', { 1: { afterMs: 10 } });
  for (let i = 0; i < 1000; i++) send(rig, i % 2 === 0 ? 'www.TEST' : 'WwW.test', [10, 1, i >> 8, i & 255]);
  t.is(rig.exchanges.length, 1);
  t.is(rig.metric('coredns_forward_coalesced_total'), 999);
  for (const asked of [{ dnssecOk: true }, { flags: 0x10 }, { type: 'AAAA' }, { class: 'CH' }, { tcp: true }]) {
    void rig.query('www.test', asked);
  }
  t.is(rig.exchanges.length, 6);
  await rig.clock.advanceAsync(20, 10);
});
