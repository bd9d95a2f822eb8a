// What secondary makes of its directive, and of queries and NOTIFY messages: zones put into the store by hand.
import test from 'ava';
import { ConfigError, type ErrorCode } from '../../../lib/base/errors.ts';
import { Answer } from '../../../lib/chain/answer.ts';
import { finish } from '../../../lib/chain/finish.ts';
import { Outcome } from '../../../lib/chain/outcome.ts';
import type { Handler } from '../../../lib/chain/plugin.ts';
import { createSecondaryHandler } from '../../../lib/plugins/secondary/handler.ts';
import { type SecondaryOptions, setupSecondary } from '../../../lib/plugins/secondary/setup.ts';
import { parseNameLower } from '../../../lib/wire/name.ts';
import { OPCODE } from '../../../lib/wire/types.ts';
import { parseZone, ZoneRig } from '../chain/zone-rig.ts';
import { parseIpAddress } from '../../../lib/base/ip-address.ts';
import { directivesOf, makeContext, makeEnv, makeQuery, type TestEnv } from './fake-chain.ts';
import { decodeMessage } from '../wire-text.ts';

const CELLS = { transfers: 0, increments: 4, failures: 1, notifies: 2, droppedNotifies: 3 };
const ZONE = '@ 60 IN SOA ns h 7 100 10 1000 60\n@ 60 IN NS ns\nwww 60 IN A 192.0.2.1\n';
const zone = (name: string, isCatalog = false): SecondaryOptions['zones'][number] => ({
  zone: name,
  primaries: ['127.0.0.2', '::2'],
  isCatalog,
});

class Rig {
  readonly stored = new ZoneRig([]);
  readonly notified: string[] = [];
  readonly env: TestEnv;
  readonly handler: Handler;
  /** Names that were passed on. */
  readonly passed: string[] = [];

  constructor(options: Partial<SecondaryOptions> = {}, isLast = false) {
    const next: Handler = (query, answer) => {
      this.passed.push(query.formatName());
      answer.fail(5);
      return Outcome.FAILED;
    };
    this.env = {
      ...makeEnv({ next }),
      store: this.stored.store,
      isLast,
      notifySource: (_tree, name) => void this.notified.push(name),
    };
    const defaults = { zones: [zone('z.test.')], directory: this.stored.directory, fallthrough: [], cells: CELLS };
    this.handler = createSecondaryHandler({ ...defaults, ...options }, this.env);
  }

  publish(name: string): Promise<void> {
    return this.stored.publisher.publish(parseZone(ZONE, name));
  }

  /** `RCODE flags answers`, or `no reply`. */
  ask(name: string, type = 'A', notifyFrom?: string): string {
    const query = makeQuery(name, this.env.clock, { type });
    if (notifyFrom !== undefined) {
      const { bytes } = parseIpAddress(notifyFrom)!;
      query.opcode = OPCODE.NOTIFY;
      query.family = bytes.length === 4 ? 4 : 6;
      query.clientAddress.set(bytes);
    }
    const answer = new Answer();
    answer.begin(query);
    if (this.handler(query, answer) === Outcome.DROPPED) return 'no reply';
    const { rcode, flags, answer: records } = decodeMessage(answer.bytes.slice(0, finish(query, answer)));
    return [rcode, ...flags.filter((flag) => flag === 'aa'), ...records].join(' ');
  }
}

test('secondary: SERVFAIL before the first transfer, then like a file', async (t) => {
  const rig = new Rig();
  t.is(rig.ask('www.z.test'), 'SERVFAIL');
  await rig.publish('z.test.');
  t.is(rig.ask('www.z.test'), 'NOERROR aa www.z.test. 60 IN A 192.0.2.1');
  t.is(rig.ask('no.z.test'), 'NXDOMAIN aa');
  t.is(rig.ask('z.test', 'AXFR'), 'REFUSED');
  rig.stored.publisher.setExpired(parseNameLower('z.test.')!, true);
  t.is(rig.ask('www.z.test'), 'SERVFAIL');
  t.deepEqual(rig.passed, []);
  t.is(rig.ask('www.other.test'), 'REFUSED');
  t.deepEqual(rig.passed, ['www.other.test.']);
});

test('secondary: names of no zone are refused when nothing follows', (t) => {
  const rig = new Rig({}, true);
  t.is(rig.ask('www.other.test'), 'REFUSED');
  t.deepEqual(rig.passed, []);
});

test('secondary: fallthrough passes missing names on', async (t) => {
  const rig = new Rig({ fallthrough: ['.'] });
  await rig.publish('z.test.');
  rig.ask('no.z.test');
  t.deepEqual(rig.passed, ['no.z.test.']);
});

test('secondary: NOTIFY from a primary is answered and handed on, from others it gets no reply', async (t) => {
  const rig = new Rig();
  t.is(rig.ask('Z.test', 'SOA', '127.0.0.2'), 'NOERROR aa');
  t.is(rig.ask('z.test', 'SOA', '::2'), 'NOERROR aa');
  t.is(rig.ask('z.test', 'SOA', '127.0.0.3'), 'no reply');
  t.deepEqual(rig.notified, ['z.test.', 'z.test.']);
  for (let i = 0; i < 100; i++) rig.ask('z.test', 'SOA', '127.0.0.2');
  t.is(rig.notified.length, 50);
  t.deepEqual([...rig.env.cells.subarray(2, 4)], [50, 53]);
  rig.env.clock.advance(1000);
  t.is(rig.ask('z.test', 'SOA', '127.0.0.2'), 'NOERROR aa');
  t.is(rig.notified.length, 51);
});

test('secondary: members of a catalog are served, the longest zone counts, without a catalog none are', async (t) => {
  const rig = new Rig({ zones: [zone('z.test.', true)] });
  for (const name of ['z.test.', 'member.org.', 'deep.z.test.']) await rig.publish(name);
  t.is(rig.ask('www.member.org'), 'NOERROR aa www.member.org. 60 IN A 192.0.2.1');
  t.is(rig.ask('www.deep.z.test'), 'NOERROR aa www.deep.z.test. 60 IN A 192.0.2.1');
  t.is(rig.ask('member.org', 'SOA', '127.0.0.2'), 'NOERROR aa');
  t.is(rig.ask('member.org', 'SOA', '127.0.0.9'), 'no reply');
  t.deepEqual(rig.notified, ['member.org.']);
  const [transferer] = rig.env.offers.transferers;
  t.deepEqual(transferer!.zones().map((serial) => serial.zone).sort(), ['deep.z.test.', 'member.org.', 'z.test.']); // biome-ignore format: short
});

test('setupSecondary: zones, primaries with and without port, catalogs of several lines', (t) => {
  const sources: unknown[] = [];
  const context = { ...makeContext(['z.test.']), addSource: (source: unknown) => sources.push(source) };
  const body = `secondary {
    transfer from 192.0.2.1 [2001:db8::1]:5353
    transfer from 2001:db8::2
    fallthrough
  }
  secondary cat.test {
    transfer from 192.0.2.1:54
    catalog a.test
    catalog B.test
  }`;
  const options = setupSecondary(directivesOf('secondary', body), context);
  t.deepEqual(options, {
    zones: [
      { zone: 'z.test.', primaries: ['192.0.2.1', '2001:db8::1', '2001:db8::2'], isCatalog: false },
      { zone: 'cat.test.', primaries: ['192.0.2.1'], isCatalog: true },
    ],
    directory: 1,
    fallthrough: ['.'],
    cells: options.cells,
  });
  const [source] = sources as { options: { zones: { primaries: unknown; memberZones?: string[] }[] } }[];
  t.deepEqual(source!.options.zones[0]!.primaries, [
    { address: '192.0.2.1', port: 53 },
    { address: '2001:db8::1', port: 5353 },
    { address: '2001:db8::2', port: 53 },
  ]);
  t.deepEqual(source!.options.zones[1]!.memberZones, ['a.test.', 'b.test.']);
});

const WRONG: readonly (readonly [body: string, code: ErrorCode, message: RegExp])[] = [
  ['secondary', 'ARGUMENT_COUNT', /"transfer from" is missing/],
  ['secondary {\n transfer\n}', 'ARGUMENT_COUNT', /needs "from"/],
  ['secondary {\n transfer from\n}', 'ARGUMENT_COUNT', /address behind "from"/],
  ['secondary {\n transfer to 192.0.2.1\n}', 'ARGUMENT_VALUE', /expected from/],
  ['secondary {\n transfer from *\n}', 'ADDRESS', /not "\*"/],
  ['secondary {\n transfer from ns1.example.org\n}', 'ADDRESS', /expected an IP address/],
  ['secondary {\n transfer from 192.0.2.1:99999\n}', 'ADDRESS', /expected an IP address/],
  ['secondary {\n transfer from 192.0.2.1\n bogus\n}', 'OPTION_UNKNOWN', /options are/],
];
for (const [body, code, message] of WRONG) {
  test(`setupSecondary: ${JSON.stringify(body)} is ${code}`, (t) => {
    const run = (): unknown => setupSecondary(directivesOf('secondary', body), makeContext(['z.test.']));
    t.is(t.throws(run, { instanceOf: ConfigError, message }).code, code);
  });
}
