import test from 'ava';
import { ConfigError, type ErrorCode } from '../../../../lib/base/errors.ts';
import { type CacheOptions, setupCache } from '../../../../lib/plugins/cache/setup.ts';
import { directivesOf, makeContext } from '../fake-chain.ts';

function setup(body: string): { options: CacheOptions; warnings: string[] } {
  const context = makeContext(['cluster.local.', '.']);
  return { options: setupCache(directivesOf('cache', body), context), warnings: context.warnings };
}

const ENTRIES_PER_SHARD = 256;

test('defaults are those of CoreDNS 1.14: 9984 entries, TTLs from 5 to 3600 and 1800, SERVFAIL 5 s', (t) => {
  const { success, denial, cells, ...rest } = setup('cache').options;
  t.is(success.memory.shards * ENTRIES_PER_SHARD, 9984);
  t.deepEqual([success.minTtlSeconds, success.maxTtlSeconds, success.disabledZones], [5, 3600, []]);
  t.is(denial.memory.shards * ENTRIES_PER_SHARD, 9984);
  t.deepEqual([denial.minTtlSeconds, denial.maxTtlSeconds, denial.disabledZones], [5, 1800, []]);
  t.deepEqual(rest, {
    zones: ['cluster.local.', '.'],
    servfailMs: 5000,
    keepTtl: false,
    prefetchHits: 0,
    prefetchWindowMs: 60_000,
    prefetchPercent: 10,
    stale: undefined,
  });
  t.is(cells.length, 1);
});

test('every option is read', (t) => {
  const { options } = setup(`cache 60 Example.ORG 10.0.0.0/8 {
    success 2048 600 20
    denial 5000 100 0
    prefetch 3 2m 20%
    serve_stale 2h VERIFY 250ms 7s 30s
    serve_stale_policy prefer_positive
    servfail 1m
    disable success Cluster.local svc.test
    disable denial
    keepttl
  }`);
  const { success, denial, cells: _cells, ...rest } = options;
  t.deepEqual(
    [success.memory.shards, success.maxTtlSeconds, success.minTtlSeconds, success.disabledZones],
    [8, 600, 20, ['cluster.local.', 'svc.test.']],
  );
  t.deepEqual(
    [denial.memory.shards, denial.maxTtlSeconds, denial.minTtlSeconds, denial.disabledZones],
    [19, 100, 0, ['.']],
  );
  t.deepEqual(rest, {
    zones: ['example.org.', '10.in-addr.arpa.'],
    servfailMs: 60_000,
    keepTtl: true,
    prefetchHits: 3,
    prefetchWindowMs: 120_000,
    prefetchPercent: 20,
    stale: {
      upToMs: 7_200_000,
      verify: true,
      verifyTimeoutMs: 250,
      ttlSeconds: 7,
      recheckMs: 30_000,
      preferPositive: true,
    },
  });
});

test('a TTL alone bounds both kinds, an option after it has the last word', (t) => {
  t.is(setup('cache 30').options.denial.maxTtlSeconds, 30);
  t.is(setup('cache 30').options.success.maxTtlSeconds, 30);
  t.is(setup('cache 30 {\n success 9984 600\n}').options.success.maxTtlSeconds, 600);
});

test('cache 30s is a zone for CoreDNS and so for us, with a warning', (t) => {
  const { options, warnings } = setup('cache 30s');
  t.deepEqual(options.zones, ['30s.']);
  t.is(options.success.maxTtlSeconds, 3600);
  t.is(warnings[0], 'plugin/cache: "30s" in line 2 is read as a zone, write the TTL as a number of seconds');
});

test('capacities: at least 1024, at most what can be kept, never sized by a number alone', (t) => {
  for (const [text, shards] of [
    ['0', 4],
    ['-5', 4],
    ['1100', 4],
    ['1280', 5],
  ] as const) {
    t.is(setup(`cache {\n success ${text}\n}`).options.success.memory.shards, shards);
  }
  const { options, warnings } = setup('cache {\n denial 99999999999\n}');
  t.is(options.denial.memory.shards * ENTRIES_PER_SHARD, 1_048_576);
  t.regex(warnings[0]!, /capacity 99999999999 is more than can be kept/);
});

test('what CoreDNS accepts in odd places is accepted', (t) => {
  t.deepEqual(setup('cache ""').options.zones, []);
  t.notThrows(() => setup('cache 99999999999999999999'));
  t.notThrows(() => setup('cache {\n success 100 30 5 1\n}'));
});

const REFUSED: readonly (readonly [string, ErrorCode, number, RegExp])[] = [
  ['cache 30\ncache 60', 'DIRECTIVE_REPEATED', 3, /once in a server block/],
  ['cache -1', 'ARGUMENT_VALUE', 2, /an integer of at least 1/],
  ['cache 0', 'ARGUMENT_VALUE', 2, /an integer of at least 1/],
  ['cache {\n success\n}', 'ARGUMENT_COUNT', 3, /success: takes at least 1 argument/],
  ['cache {\n success many\n}', 'ARGUMENT_VALUE', 3, /an integer, not "many"/],
  ['cache {\n denial 100 0\n}', 'ARGUMENT_VALUE', 3, /at least 1/],
  ['cache {\n denial 100 10 -1\n}', 'ARGUMENT_VALUE', 3, /at least 0/],
  ['cache {\n prefetch 1 1m 9%\n}', 'ARGUMENT_VALUE', 3, /from 10 to 90/],
  ['cache {\n prefetch 1 1m 95%\n}', 'ARGUMENT_VALUE', 3, /from 10 to 90/],
  ['cache {\n prefetch 1 1m 10\n}', 'ARGUMENT_VALUE', 3, /ends in %/],
  ['cache {\n prefetch\n}', 'ARGUMENT_COUNT', 3, /takes 1 to 3 arguments/],
  ['cache {\n serve_stale -1h\n}', 'ARGUMENT_VALUE', 3, /a duration of at least 0s/],
  ['cache {\n serve_stale 1h nosuch\n}', 'ARGUMENT_VALUE', 3, /expected immediate or verify/],
  ['cache {\n serve_stale 1h immediate 1500ms\n}', 'ARGUMENT_VALUE', 3, /a whole number of seconds/],
  ['cache {\n serve_stale 1h immediate 1s 1s 1s\n}', 'ARGUMENT_COUNT', 3, /takes 0 to 4 arguments/],
  ['cache {\n serve_stale 1h verify 1s 1s 6m\n}', 'ARGUMENT_VALUE', 3, /a duration from 0s to 300s/],
  ['cache {\n serve_stale_policy prefer_positive\n}', 'OPTION_CONFLICT', 3, /needs serve_stale/],
  ['cache {\n serve_stale\n serve_stale_policy nosuch\n}', 'ARGUMENT_VALUE', 4, /expected prefer_positive/],
  ['cache {\n servfail 6m\n}', 'ARGUMENT_VALUE', 3, /from 0s to 300s/],
  ['cache {\n disable nosuch\n}', 'ARGUMENT_VALUE', 3, /expected success or denial/],
  ['cache {\n disable\n}', 'ARGUMENT_COUNT', 3, /at least 1 argument/],
  ['cache {\n keepttl yes\n}', 'ARGUMENT_COUNT', 3, /keepttl: takes no arguments/],
  ['cache 30 {\n nosuch 1\n}', 'OPTION_UNKNOWN', 3, /unknown option "nosuch"/],
  ['cache {\n server_stale\n}', 'OPTION_UNKNOWN', 3, /did you mean "serve_stale"/],
];
for (const [body, code, line, message] of REFUSED) {
  test(`refused: ${body.replaceAll('\n', ' ')}`, (t) => {
    const error = t.throws(() => setup(body), { instanceOf: ConfigError });
    t.is(error.code, code);
    t.is(error.line, line);
    t.regex(error.message, message);
    t.true(error.message.startsWith('cache: '));
  });
}
