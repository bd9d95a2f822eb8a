// The plugin `loop`: the probe that is sent, when its return is a loop, and when it is not.
import test from 'ava';
import dnsPacket from 'dns-packet';
import { ManualClock } from '../../../lib/base/clock.ts';
import { Outcome } from '../../../lib/chain/outcome.ts';
import type { Service } from '../../../lib/chain/plugin.ts';
import { runLoopProbe } from '../../../lib/plugins/loop/probe.ts';
import { answerWith, BlockRig } from './block-rig.ts';

const HINFO = { type: 'HINFO' } as const;

function probeOf(rig: BlockRig): string {
  const service = rig.services.find((found): found is Extract<Service, { kind: 'loop' }> => found.kind === 'loop')!;
  return service.probe.replace(/\.$/, '');
}

test('loop: the service carries the first zone and the first listen address', (t) => {
  const rig = new BlockRig('bind 127.0.0.7\nloop exit', { zones: ['a.test.', 'b.test.'] });
  const { zone, address, probe } = rig.services[0] as Extract<Service, { kind: 'loop' }>;
  t.deepEqual([zone, address], ['a.test.', '127.0.0.7:1053']);
  t.regex(probe, /^\d+\.a\.test\.$/);
  t.regex(probeOf(new BlockRig('loop exit')), /^\d+$/);
});

test('loop: the probe seen three times ends the process and is not forwarded again', async (t) => {
  const rig = new BlockRig('loop exit', { last: answerWith([]) });
  const name = `17.${probeOf(rig)}`;
  t.is((await rig.ask(name, HINFO)).outcome, Outcome.ANSWERED);
  t.is((await rig.ask(name, HINFO)).outcome, Outcome.ANSWERED);
  t.deepEqual(rig.fatal, []);
  t.is((await rig.ask(name, HINFO)).outcome, Outcome.FAILED);
  t.deepEqual(rig.fatal, [
    `plugin/loop: Loop (127.0.0.1:40053 -> :1053) detected for zone ".", see https://coredns.io/plugins/loop#troubleshooting. Query: "HINFO ${name}."`,
  ]);
});

test('loop: the probe from another source is a loop the second time', async (t) => {
  const rig = new BlockRig('loop exit', { last: answerWith([]) });
  const name = `17.${probeOf(rig)}`;
  t.is((await rig.ask(name, HINFO)).outcome, Outcome.ANSWERED);
  t.is((await rig.ask(name, { ...HINFO, from: '127.0.0.9' })).outcome, Outcome.FAILED);
  t.regex(rig.fatal[0]!, /^plugin\/loop: Loop \(127\.0\.0\.9:/);
});

test('loop: attempts after a timeout do not add up, other names and types do not count', async (t) => {
  const rig = new BlockRig('loop exit', { last: answerWith([]) });
  const probe = probeOf(rig);
  for (let attempt = 0; attempt < 6; attempt++) await rig.ask(`${attempt}.${probe}`, HINFO);
  for (let i = 0; i < 5; i++) await rig.ask(`1.${probe}`, { type: 'TXT' });
  for (let i = 0; i < 5; i++) await rig.ask(`1.x${probe}`, HINFO);
  for (let i = 0; i < 5; i++) await rig.ask('.', HINFO);
  t.deepEqual(rig.fatal, []);
});

test('loop: two seconds after an answered probe nobody can trigger it', async (t) => {
  const rig = new BlockRig('loop exit', { last: answerWith([]) });
  const name = `1.${probeOf(rig)}`;
  await rig.ask(name, HINFO);
  rig.clock.advance(2001);
  for (let i = 0; i < 5; i++) await rig.ask(name, HINFO);
  t.deepEqual(rig.fatal, []);
});

test('loop: the probe is asked each second with a fresh name until a reply comes', async (t) => {
  const clock = new ManualClock();
  const asked: string[] = [];
  let left = 3;
  const done = runLoopProbe(
    { probe: '42.a.test.', address: ':1053' },
    clock,
    new AbortController().signal,
    async (message, host, port, timeoutMs) => {
      const { questions, flag_rd } = dnsPacket.decode(Buffer.from(message));
      asked.push(`${questions![0]!.type} ${questions![0]!.name} ${host} ${port} ${timeoutMs} ${flag_rd}`);
      return --left === 0;
    },
  );
  await clock.advanceAsync(2500);
  t.true(await done);
  t.is(asked.length, 3);
  t.is(new Set(asked).size, 3);
  t.regex(asked[0]!, /^HINFO \d+\.42\.a\.test 127\.0\.0\.1 1053 2000 true$/);
});

test('loop: the probe gives up after 30 seconds, and at once when told', async (t) => {
  const clock = new ManualClock();
  let count = 0;
  const never = async (): Promise<boolean> => {
    count++;
    return false;
  };
  const done = runLoopProbe({ probe: '42.', address: '[::1]:53' }, clock, new AbortController().signal, never);
  await clock.advanceAsync(31_000);
  t.false(await done);
  t.is(count, 30);
  const stop = new AbortController();
  const stopped = runLoopProbe({ probe: '42.', address: ':53' }, clock, stop.signal, never);
  await Promise.resolve();
  stop.abort();
  t.false(await stopped);
  t.is(clock.pending, 0);
});

test('loop: without exit nothing but forward is set to work, and a block without forward is passed through', async (t) => {
  const rig = new BlockRig('loop', { last: answerWith([]) });
  t.deepEqual(rig.services, []);
  t.is((await rig.ask('x', HINFO)).outcome, Outcome.ANSWERED);
});
