import fs from 'node:fs';
import test from 'ava';
import { readSchedule } from '../../../lib/control/thread-schedule.ts';

test('readSchedule: CPU time of this thread grows as it is used', (t) => {
  if (!fs.existsSync('/proc/thread-self/schedstat')) return t.pass('this system does not tell');
  const thread = Number(fs.readlinkSync('/proc/thread-self').split('/').at(-1));
  const { runMs } = readSchedule(thread)!;
  for (let used = 0; used < 20; used = readSchedule(thread)!.runMs - runMs);
  return t.true(readSchedule(thread)!.waitMs >= 0);
});

test('readSchedule: a thread that is not there has none', (t) => {
  t.is(readSchedule(0), undefined);
});
