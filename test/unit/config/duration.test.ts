// Durations of the Corefile: Go's reading and printing.
import test from 'ava';
import { formatDuration, parseDuration } from '../../../lib/config/duration.ts';

const TEXTS = [
  ['300ms', 300],
  ['1h30m', 5_400_000],
  ['1.5h', 5_400_000],
  ['.5s', 500],
  ['5.s', 5000],
  ['0', 0],
  ['-1s', -1000],
  ['+2s', 2000],
  ['10us', 0.01],
  ['10µs', 0.01],
  ['30', undefined],
  ['', undefined],
  ['-', undefined],
  ['s', undefined],
  ['.s', undefined],
  ['1d', undefined],
  ['1s ', undefined],
  ['1 s', undefined],
  ['5x', undefined],
  ['1h30', undefined],
  ['9999999999h', undefined],
] as const;
for (const [text, expectedMs] of TEXTS)
  test(`duration ${JSON.stringify(text)} is ${expectedMs === undefined ? 'refused' : `${expectedMs} ms`}`, (t) => {
    t.is(parseDuration(text), expectedMs);
  });

const PRINTED = [
  [0, '0s'],
  [1500, '1.5s'],
  [60_000, '1m0s'],
  [3_600_000, '1h0m0s'],
  [5_430_000, '1h30m30s'],
  [250, '250ms'],
  [0.0015, '1.5µs'],
  [-2000, '-2s'],
] as const;
for (const [durationMs, text] of PRINTED)
  test(`${durationMs} ms prints as ${text}`, (t) => {
    t.is(formatDuration(durationMs), text);
  });
