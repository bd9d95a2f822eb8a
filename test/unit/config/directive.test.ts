// What setup functions ask of a directive, and the text of the errors they get.
import test from 'ava';
import { ConfigError } from '../../../lib/base/errors.ts';
import type { Directive } from '../../../lib/config/directive.ts';
import { parseTestCorefile } from './parse-test-corefile.ts';

function directives(body: string): readonly Directive[] {
  return parseTestCorefile(`. {\n${body}\n}\n`).blocks[0]!.directives;
}

function messageOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof ConfigError) return error.format();
    throw error;
  }
  return 'no error';
}

test('a directive knows its arguments, its options and their lines', (t) => {
  const [forward] = directives('forward . 10.0.0.1 {\n  max_fails 3\n  force_tcp\n}');
  t.deepEqual(forward!.values, ['.', '10.0.0.1']);
  t.deepEqual(
    forward!.options().map((option) => [option.name, ...option.values, option.line]),
    [
      ['max_fails', '3', 3],
      ['force_tcp', 4],
    ],
  );
  t.is(directives('whoami')[0]!.block, undefined);
  t.deepEqual(directives('log {\n}')[0]!.block, []);
});

const [cache] = directives('cache 30 {\n  success many 5\n  max_fail 2\n  nothing\n  servfail 1h\n}');
const [success, maxFail, nothing, servfail] = cache!.options();
const MESSAGES: readonly (readonly [string, () => unknown])[] = [
  ['Corefile:2: cache: takes no arguments, has 1', () => cache!.expectArguments(0)],
  ['Corefile:2: cache: takes at least 2 arguments, has 1', () => cache!.expectArguments(2, Number.POSITIVE_INFINITY)],
  ['Corefile:3: cache: success: takes 1 argument, has 2', () => success!.expectArguments(1)],
  [
    'Corefile:3: cache: success: expected an integer from 0 to 9, not "many"',
    () => success!.parseInteger(success!.argument(0), { min: 0, max: 9 }),
  ],
  [
    'Corefile:3: cache: success: expected an integer from 0 to 4, not "5"',
    () => success!.parseInteger(success!.argument(1), { min: 0, max: 4 }),
  ],
  ['Corefile:2: cache: takes no block', () => cache!.expectNoBlock()],
  ['Corefile:5: cache: nothing: argument 1 is missing', () => nothing!.argument()],
  [
    'Corefile:2: cache: expected a duration with a unit (300ms, 30s, 1h30m), not "30"',
    () => cache!.parseDuration(cache!.argument()),
  ],
  [
    'Corefile:6: cache: servfail: expected a duration from 0s to 300s, not "1h"',
    () => servfail!.parseDuration(servfail!.argument(), { min: 0, max: 300_000 }),
  ],
  [
    'Corefile:6: cache: servfail: expected 10m or 2h, not "1h", did you mean "2h"?',
    () => servfail!.parseWord(servfail!.argument(), ['10m', '2h']),
  ],
];
for (const [expected, run] of MESSAGES) test(`error: ${expected}`, (t) => void t.is(messageOf(run), expected));

test('an unknown option names the nearest one, else all, and for a removed one what to do', (t) => {
  t.is(
    cache!.unknownOption(maxFail!, ['max_fails', 'expire']).format(),
    'Corefile:4: cache: unknown option "max_fail", did you mean "max_fails"?',
  );
  t.is(
    cache!.unknownOption(maxFail!, ['expire', 'tls']).format(),
    'Corefile:4: cache: unknown option "max_fail", options are expire, tls',
  );
  t.is(
    cache!.unknownOption(maxFail!, [], { max_fail: 'delete the line' }).format(),
    'Corefile:4: cache: the option "max_fail" was removed from CoreDNS, delete the line',
  );
});

test('zones: names, keys and prefixes become absolute zones, what is none is left out', (t) => {
  const [log] = directives('log Example.org dns://a.example:53 10.0.0.0/8 a..b');
  t.deepEqual(log!.parseZones(log!.args), ['example.org.', 'a.example.', '10.in-addr.arpa.']);
  t.deepEqual(log!.parseZones([], ['cluster.local.']), ['cluster.local.']);
});
