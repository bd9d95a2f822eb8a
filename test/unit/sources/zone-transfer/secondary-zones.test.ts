// Copies of zones: when they are fetched, refreshed, expired, and what catalogs add and take away. No sockets; time stands still.
import test from 'ava';
import { ManualClock } from '../../../../lib/base/clock.ts';
import type { ZoneChange } from '../../../../lib/sources/zone-transfer/change-reader.ts';
import type { Primary, PrimaryClient } from '../../../../lib/sources/zone-transfer/primary.ts';
import { startSecondarySource, type SecondarySourceOptions } from '../../../../lib/sources/zone-transfer/source.ts';
import { TransferError } from '../../../../lib/sources/zone-transfer/transfer-reader.ts';
import type { Source } from '../../../../lib/sources/source.ts';
import { createStoreMemory } from '../../../../lib/store/layout.ts';
import { StoreReader } from '../../../../lib/store/reader.ts';
import { ZONE_FLAG, ZONE_WORD } from '../../../../lib/store/rrset-form.ts';
import { StoreWriter } from '../../../../lib/store/writer.ts';
import { findZone } from '../../../../lib/store/zone-directory.ts';
import { ScratchName } from '../../../../lib/store/zone-lookup.ts';
import { formatName, parseNameLower } from '../../../../lib/wire/name.ts';
import { parseRecord, type ResourceRecord } from '../../../../lib/wire/record.ts';
import { formatType } from '../../../../lib/wire/types.ts';
import { parseZone } from '../../chain/zone-rig.ts';
import { keepLines } from '../../plugins/block-rig.ts';

const FIRST: Primary = { address: '192.0.2.1', port: 53 };
const SECOND: Primary = { address: '192.0.2.2', port: 53 };
/** Refresh 100 s, retry 10 s, expire 1000 s. */
const zoneText = (serial: number, more = ''): string =>
  `@ 60 IN SOA ns h ${serial} 100 10 1000 60\n@ 60 IN NS ns\n${more}`;

/** Primaries as a table: zone text by `ADDRESS ZONE`, undefined for one that does not answer. */
class FakePrimaries implements PrimaryClient {
  readonly texts = new Map<string, string>();
  readonly asked: string[] = [];
  /** Fetches under way and their largest number; a fetch waits while `gate` is pending. */
  active = 0;
  most = 0;
  gate: Promise<void> | undefined;
  /** What is answered when changes are asked for; the whole zone unless given. */
  change: (() => ZoneChange) | undefined;

  put(zone: string, text: string, primary: Primary = FIRST): void {
    this.texts.set(`${primary.address} ${zone}`, text);
  }

  #find(kind: string, origin: Uint8Array, primary: Primary): string {
    const key = `${primary.address} ${formatName(origin)}`;
    this.asked.push(`${kind} ${key}`);
    const text = this.texts.get(key);
    if (text === undefined) throw new Error('connection refused');
    return text;
  }

  async fetchSerial(origin: Uint8Array, primary: Primary): Promise<number> {
    await Promise.resolve();
    return Number(/SOA \S+ \S+ (\d+)/.exec(this.#find('serial', origin, primary))![1]);
  }

  async fetchZone(origin: Uint8Array, primary: Primary): ReturnType<PrimaryClient['fetchZone']> {
    this.most = Math.max(this.most, ++this.active);
    await this.gate;
    this.active--;
    return parseZone(this.#find('zone', origin, primary), formatName(origin));
  }

  async fetchChange(origin: Uint8Array, _soa: Uint8Array, primary: Primary): Promise<ZoneChange> {
    await Promise.resolve();
    const text = this.#find('change', origin, primary);
    return this.change?.() ?? { kind: 'whole', contents: parseZone(text, formatName(origin)) };
  }
}

class Rig {
  readonly clock = new ManualClock();
  readonly lines: string[] = [];
  /** Transfers, failures, transfers of changes only. */
  readonly cells = new Float64Array(3);
  readonly primaries = new FakePrimaries();
  readonly #memory = createStoreMemory({ arenaBytes: 2 ** 22, readers: 2 });
  readonly #writer = new StoreWriter(this.#memory, { minSlots: 64 });
  readonly #store = new StoreReader(this.#memory, 0);
  readonly #tree = this.#writer.openTree();
  source: Source | undefined;

  start(zones: SecondarySourceOptions['zones'] = [{ zone: 'z.test.', primaries: [FIRST] }]): Promise<void> {
    const env = {
      writer: this.#writer,
      tree: this.#tree,
      clock: this.clock,
      log: keepLines(this.lines),
      cells: this.cells,
    };
    const options = { zones, cells: { transfers: 0, failures: 1, increments: 2 } };
    this.source = startSecondarySource(options, env, { client: this.primaries, random: () => 0.5 });
    return this.settle();
  }

  /** Lets everything that does not wait for time come to its end. */
  async settle(): Promise<void> {
    for (let i = 0; i < 30; i++) await new Promise((resolve) => void setImmediate(resolve));
  }

  async advance(seconds: number): Promise<void> {
    this.clock.advance(seconds * 1000);
    await this.settle();
  }

  /** Serial that is served; `none` without the zone, `expired`. */
  served(zone = 'z.test.'): number | string {
    const name = new ScratchName();
    name.set(parseNameLower(zone)!, 0);
    const rrset = findZone(this.#store, this.#tree, name, 0);
    if (rrset === 0) return 'none';
    const at = this.#store.bytesAt(rrset) >>> 2;
    if ((this.#store.words[at + ZONE_WORD.FLAGS]! & ZONE_FLAG.EXPIRED) !== 0) return 'expired';
    return this.#store.serial(this.#store.words[at + ZONE_WORD.TREE]!);
  }

  /** `name ttl type` of what is stored of z.test., sorted. */
  records(): string[] {
    const name = new ScratchName();
    name.set(parseNameLower('z.test.')!, 0);
    const at = this.#store.bytesAt(findZone(this.#store, this.#tree, name, 0)) >>> 2;
    const lines: string[] = [];
    const store = this.#store;
    store.forEach(store.words[at + ZONE_WORD.TREE]!, (entry) => {
      const nameAt = store.nameAt(entry);
      const owner = formatRelative(store.bytes.subarray(nameAt, nameAt + store.nameLength(entry)));
      let rrset = store.firstRrset(entry);
      for (let left = store.rrsetCount(entry); left > 0; left--, rrset = store.nextRrset(rrset)) {
        if (store.rrsetType(rrset) === 0) continue;
        lines.push(`${owner} ${store.bytes[store.bytesAt(rrset) + 3]} ${formatType(store.rrsetType(rrset))}`);
      }
    });
    return lines.sort();
  }
}

/** Wire form of a relative name as text. */
const formatRelative = (name: Uint8Array): string => formatName(Uint8Array.of(...name, 0)).replace(/(.)\.$/, '$1');

test('secondary: a zone is asked for again with longer and longer pauses until it comes', async (t) => {
  const rig = new Rig();
  await rig.start();
  t.is(rig.served(), 'none');
  for (const pause of [0.25, 0.5, 1, 2, 4, 8, 10, 10]) {
    const before = rig.primaries.asked.length;
    await rig.advance(pause - 0.01);
    t.is(rig.primaries.asked.length, before);
    await rig.advance(0.01);
    t.is(rig.primaries.asked.length, before + 1);
  }
  rig.primaries.put('z.test.', zoneText(7));
  await rig.advance(10);
  t.is(rig.served(), 7);
  t.deepEqual([...rig.cells], [1, 9, 0]);
  t.regex(
    rig.lines[0]!,
    /All 'z\.test\.' masters failed to transfer, retrying in 0\.25s: 192\.0\.2\.1:53: connection refused/,
  );
  t.regex(rig.lines.at(-1)!, /Transferred: z\.test\. from 192\.0\.2\.1:53/);
});

test('secondary: the second primary gives what the first one does not', async (t) => {
  const rig = new Rig();
  rig.primaries.put('z.test.', zoneText(7), SECOND);
  await rig.start([{ zone: 'z.test.', primaries: [FIRST, SECOND] }]);
  t.is(rig.served(), 7);
  t.deepEqual(rig.primaries.asked, ['zone 192.0.2.1 z.test.', 'zone 192.0.2.2 z.test.']);
});

test('secondary: after the refresh time the serial is asked for, and a newer zone fetched, an older one not', async (t) => {
  const rig = new Rig();
  rig.primaries.put('z.test.', zoneText(4_294_967_295));
  await rig.start();
  rig.primaries.put('z.test.', zoneText(3));
  await rig.advance(102.4);
  t.is(rig.served(), 4_294_967_295);
  await rig.advance(0.1);
  t.is(rig.served(), 3, 'serials go round (RFC 1982)');
  rig.primaries.put('z.test.', zoneText(2));
  rig.primaries.asked.length = 0;
  await rig.advance(102.5);
  t.is(rig.served(), 3);
  t.deepEqual(rig.primaries.asked, ['serial 192.0.2.1 z.test.']);
});

const parse = (line: string): ResourceRecord => parseRecord(line);

test('secondary: changes are put into the copy, also names and types that it does not answer with', async (t) => {
  const rig = new Rig();
  const before = zoneText(
    7,
    'a 60 IN A 192.0.2.1\na 60 IN A 192.0.2.2\na 60 IN TXT "x"\nsub 60 IN NS ns.sub\nns.sub 60 IN A 192.0.2.3\n' +
      'deep.er 60 IN MX 5 Mail.Example.\n*.w 60 IN AAAA 2001:db8::1\n',
  );
  rig.primaries.put('z.test.', before);
  await rig.start();
  rig.primaries.put('z.test.', zoneText(9));
  const soa = parse('z.test. 60 IN SOA ns.z.test. h.z.test. 9 100 10 1000 60');
  rig.primaries.change = () => ({
    kind: 'steps',
    soa,
    steps: [
      { removed: [parse('A.z.test. 1 IN A 192.0.2.1')], added: [parse('b.z.test. 60 IN A 192.0.2.9')] },
      {
        removed: [parse('b.z.test. 60 IN A 192.0.2.9'), parse('deep.er.z.test. 60 IN MX 5 mail.example.')],
        added: [parse('c.z.test. 60 IN A 192.0.2.9')],
      },
    ],
  });
  await rig.advance(102.5);
  t.is(rig.served(), 9);
  t.deepEqual([...rig.cells], [2, 0, 1]);
  t.deepEqual(rig.records(), [
    '* 60 AAAA',
    '. 60 NS',
    '. 60 SOA',
    'a 60 A',
    'a 60 TXT',
    'c 60 A',
    'ns.sub 60 A',
    'sub 60 NS',
  ].map((line) => line.replace('*', '*.w'))); // biome-ignore format: short
  t.regex(rig.lines.at(-1)!, /Transferred: z\.test\. from 192\.0\.2\.1:53 \(changes only\)/);
});

test('secondary: changes that do not fit, or none, make it ask for the whole zone; a lost connection does not', async (t) => {
  const rig = new Rig();
  rig.primaries.put('z.test.', zoneText(7));
  await rig.start();
  const soa = parse('z.test. 60 IN SOA ns.z.test. h.z.test. 8 100 10 1000 60');
  rig.primaries.put('z.test.', zoneText(8));
  rig.primaries.change = () => ({ kind: 'steps', soa, steps: [{ removed: [parse('no.z.test. 1 IN A 192.0.2.1')], added: [] }] }); // biome-ignore format: short
  rig.primaries.asked.length = 0;
  await rig.advance(102.5);
  t.is(rig.served(), 8);
  const keys = ['serial', 'change', 'zone'].map((kind) => `${kind} 192.0.2.1 z.test.`);
  t.deepEqual(rig.primaries.asked, keys);
  rig.primaries.put('z.test.', zoneText(9));
  rig.primaries.change = () => {
    throw new TransferError('bad xfr rcode: NOTIMP');
  };
  await rig.advance(102.5);
  t.is(rig.served(), 9);
  rig.primaries.put('z.test.', zoneText(10));
  rig.primaries.change = () => {
    throw new Error('connection reset');
  };
  rig.primaries.asked.length = 0;
  await rig.advance(102.5);
  t.is(rig.served(), 9);
  t.deepEqual(rig.primaries.asked, keys.slice(0, 2));
  rig.primaries.change = () => ({ kind: 'current' });
  await rig.advance(11);
  t.is(rig.served(), 9);
  t.deepEqual([...rig.cells], [3, 1, 0]);
});

test('secondary: without an answer the zone is retried, expires after its time, and comes back when it is confirmed', async (t) => {
  const rig = new Rig();
  rig.primaries.put('z.test.', zoneText(7));
  await rig.start();
  rig.primaries.texts.clear();
  await rig.advance(102.5);
  rig.primaries.asked.length = 0;
  await rig.advance(11);
  t.deepEqual(rig.primaries.asked, ['serial 192.0.2.1 z.test.']);
  for (let seconds = 113.5; seconds < 999; seconds += 11) await rig.advance(Math.min(11, 999.5 - seconds));
  t.is(rig.served(), 7);
  await rig.advance(1);
  t.is(rig.served(), 'expired');
  rig.primaries.put('z.test.', zoneText(7));
  await rig.advance(11);
  t.is(rig.served(), 7);
});

test('secondary: NOTIFY brings a look at once, many bring one a second', async (t) => {
  const rig = new Rig();
  rig.primaries.put('z.test.', zoneText(7));
  await rig.start();
  await rig.advance(5);
  rig.primaries.put('z.test.', zoneText(8));
  rig.primaries.asked.length = 0;
  rig.source!.notify!('z.test.');
  await rig.advance(0);
  t.is(rig.served(), 8);
  for (let i = 0; i < 20; i++) rig.source!.notify!('z.test.');
  await rig.advance(0.9);
  t.is(rig.primaries.asked.length, 2);
  await rig.advance(0.1);
  t.is(rig.primaries.asked.length, 3);
  rig.source!.notify!('other.test.');
});

test('secondary: after stop nothing is asked, and no timer is left', async (t) => {
  const rig = new Rig();
  rig.primaries.put('z.test.', zoneText(7));
  await rig.start();
  rig.source!.stop();
  t.is(rig.clock.pending, 0);
  t.is(rig.served(), 7);
});

const CATALOG = (serial: number, members: string): string => `${zoneText(serial)}version 60 IN TXT "2"\n${members}`;
const catalogZone = (zone: string, memberZones: string[] = []): SecondarySourceOptions['zones'][number] => ({
  zone,
  primaries: [FIRST],
  memberZones,
});

test('secondary: members of a catalog come, start anew under another label, and go', async (t) => {
  const rig = new Rig();
  rig.primaries.put('a.test.', zoneText(1));
  rig.primaries.put('b.test.', zoneText(2));
  rig.primaries.put(
    'cat.test.',
    CATALOG(1, 'm1.zones 60 IN PTR A.test.\nm2.zones 60 IN PTR b.test.\ngroup.m1.zones 60 IN TXT "x"\n'),
  );
  await rig.start([catalogZone('cat.test.')]);
  t.deepEqual([rig.served('cat.test.'), rig.served('a.test.'), rig.served('b.test.')], [1, 1, 2]);
  rig.primaries.put('cat.test.', CATALOG(2, 'm3.zones 60 IN PTR a.test.\n'));
  rig.primaries.texts.delete('192.0.2.1 a.test.');
  await rig.advance(102.5);
  t.deepEqual([rig.served('cat.test.'), rig.served('a.test.'), rig.served('b.test.')], [2, 'none', 'none']);
});

test('secondary: members outside of the names given, and names that are configured, are left alone', async (t) => {
  const rig = new Rig();
  for (const zone of ['x.a.test.', 'a.test.', 'b.test.', 'own.a.test.']) rig.primaries.put(zone, zoneText(1));
  rig.primaries.put('own.a.test.', zoneText(9), SECOND);
  const members = ['x.a.test.', 'a.test.', 'b.test.', 'own.a.test.'].map(
    (zone, i) => `m${i}.zones 60 IN PTR ${zone}\n`,
  );
  rig.primaries.put('cat.test.', CATALOG(1, members.join('')));
  await rig.start([catalogZone('cat.test.', ['a.test.']), { zone: 'own.a.test.', primaries: [SECOND] }]);
  t.deepEqual(['x.a.test.', 'a.test.', 'b.test.', 'own.a.test.'].map((zone) => rig.served(zone)), [1, 1, 'none', 9]); // biome-ignore format: short
  t.true(rig.lines.some((line) => line.includes('Skipped 1 member zones from catalog cat.test.')));
});

test('secondary: a member moves to another catalog only when the first one says so, and keeps its copy', async (t) => {
  const rig = new Rig();
  rig.primaries.put('a.test.', zoneText(1));
  rig.primaries.put('one.test.', CATALOG(1, 'm.zones 60 IN PTR a.test.\n'));
  await rig.start([catalogZone('one.test.'), catalogZone('two.test.')]);
  t.is(rig.served('a.test.'), 1);
  rig.primaries.put('two.test.', CATALOG(1, 'm.zones 60 IN PTR a.test.\n'));
  await rig.advance(0.25);
  t.true(rig.lines.some((line) => line.includes('Skipping catalog member zone a.test. from two.test.')));
  rig.primaries.put('one.test.', CATALOG(2, 'm.zones 60 IN PTR a.test.\ncoo.m.zones 60 IN PTR two.test.\n'));
  await rig.advance(102.5);
  rig.primaries.put('two.test.', CATALOG(2, 'm.zones 60 IN PTR a.test.\n'));
  rig.source!.notify!('two.test.');
  await rig.advance(1);
  t.true(rig.lines.some((line) => line.includes('Migrated catalog member zone a.test. to two.test.')));
  rig.primaries.put('one.test.', CATALOG(3, ''));
  rig.source!.notify!('one.test.');
  await rig.advance(1);
  t.is(rig.served('one.test.'), 3);
  t.is(rig.served('a.test.'), 1);
});

const NO_CATALOGS = [
  // what                        text                                                                       why
  ['no version', zoneText(2), 'exactly one version record'],
  ['another version', `${zoneText(2)}version 60 IN TXT "1"\n`, 'of version "1"'],
  ['a zone twice', CATALOG(2, 'm.zones 1 IN PTR a.test.\nn.zones 1 IN PTR A.test.\n'), 'a.test. is twice'],
  ['two pointers', CATALOG(2, 'm.zones 1 IN PTR a.test.\nm.zones 1 IN PTR b.test.\n'), 'several PTR'],
] as const;
for (const [what, text, why] of NO_CATALOGS) {
  test(`secondary: a catalog with ${what} is not used, its members stay`, async (t) => {
    const rig = new Rig();
    rig.primaries.put('a.test.', zoneText(1));
    rig.primaries.put('cat.test.', CATALOG(1, 'm.zones 60 IN PTR a.test.\n'));
    await rig.start([catalogZone('cat.test.')]);
    rig.primaries.put('cat.test.', text);
    await rig.advance(102.5);
    t.deepEqual([rig.served('cat.test.'), rig.served('a.test.')], [1, 1]);
    t.true(
      rig.lines.some((line) => line.includes(why)),
      rig.lines.join('\n'),
    );
  });
}

test('secondary: eight zones at most are fetched at the same time', async (t) => {
  const rig = new Rig();
  let open = (): void => undefined;
  rig.primaries.gate = new Promise((resolve) => {
    open = resolve;
  });
  const zones = Array.from({ length: 20 }, (_, i) => `z${i}.test.`);
  for (const zone of zones) rig.primaries.put(zone, zoneText(1));
  await rig.start(zones.map((zone) => ({ zone, primaries: [FIRST] })));
  t.is(rig.primaries.most, 8);
  open();
  await rig.settle();
  await rig.settle();
  t.is(rig.primaries.most, 8);
  t.deepEqual(zones.map((zone) => rig.served(zone)), zones.map(() => 1)); // biome-ignore format: short
});
