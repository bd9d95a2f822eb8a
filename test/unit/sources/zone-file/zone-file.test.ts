import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { compileGoRegexp } from '../../../../lib/base/go-regexp.ts';
import { ManualClock } from '../../../../lib/base/clock.ts';
import { startSource } from '../../../../lib/sources/start-source.ts';
import type { Source } from '../../../../lib/sources/source.ts';
import { expandTemplate } from '../../../../lib/sources/zone-file/origin-template.ts';
import { sortInSlices } from '../../../../lib/sources/zone-file/sort-in-slices.ts';
import { canonicalKey, relativeName } from '../../../../lib/sources/zone-file/canonical-key.ts';
import { findLongestZone } from '../../../../lib/store/zone-directory.ts';
import { ScratchName } from '../../../../lib/store/zone-lookup.ts';
import { formatName, parseNameLower } from '../../../../lib/wire/name.ts';
import { ZoneRig } from '../../chain/zone-rig.ts';
import { keepLines } from '../../plugins/block-rig.ts';

const zoneText = (serial: number, rest = ''): string =>
  `@ 60 IN SOA ns h ${serial} 2 3 4 5\n@ 60 IN NS ns\nns 60 IN A 192.0.2.53\nwww 60 IN A 192.0.2.${serial}\n${rest}`;

class Folder {
  readonly path = fs.mkdtempSync(path.join(os.tmpdir(), 'zone-'));
  readonly clock = new ManualClock();
  readonly lines: string[] = [];
  readonly rig: ZoneRig;

  constructor(t: ExecutionContext, zones: readonly string[]) {
    this.rig = new ZoneRig(zones);
    t.teardown(() => fs.rmSync(this.path, { recursive: true }));
  }

  write(name: string, text: string): void {
    const file = path.join(this.path, name);
    fs.writeFileSync(`${file}.new`, text);
    fs.renameSync(`${file}.new`, file);
  }

  start(kind: 'file' | 'auto', options: object): Promise<Source> {
    const { writer, directory: tree } = this.rig;
    const env = { writer, tree, clock: this.clock, log: keepLines(this.lines), cells: new Float64Array(8) };
    return startSource({ kind, key: '', options }, env);
  }

  startFile(zones: readonly string[], options: object = {}): Promise<Source> {
    return this.start('file', { file: path.join(this.path, 'db'), zones, reloadMs: 1000, byMtime: false, ...options });
  }

  /** Lets a reload interval pass and what it starts come to an end. */
  async tick(): Promise<void> {
    const { pending } = this.clock;
    this.clock.advance(1000);
    for (let turns = 0; turns < 500 && this.clock.pending < pending; turns++) {
      await new Promise((resolve) => void setImmediate(resolve));
    }
  }

  async www(zone = 'example.org'): Promise<string | undefined> {
    return (await this.rig.ask(`www.${zone}`))
      .find((line) => line.startsWith('answer'))
      ?.split(' ')
      .at(-1);
  }
}

test('file source: one file serves each of its zones', async (t) => {
  const folder = new Folder(t, ['example.org.', 'example.net.']);
  folder.write('db', zoneText(1));
  await folder.startFile(['example.org.', 'example.net.']);
  t.is(await folder.www('example.org'), '192.0.2.1');
  t.is(await folder.www('example.net'), '192.0.2.1');
});

test('file source: a new serial is served after the interval, the same serial is not', async (t) => {
  const folder = new Folder(t, ['example.org.']);
  folder.write('db', zoneText(1));
  await folder.startFile(['example.org.']);
  folder.write('db', zoneText(1).replace('192.0.2.1', '192.0.2.9'));
  await folder.tick();
  t.is(await folder.www(), '192.0.2.1');
  folder.write('db', zoneText(2));
  t.is(await folder.www(), '192.0.2.1');
  await folder.tick();
  t.is(await folder.www(), '192.0.2.2');
  t.regex(folder.lines.join('\n'), /Successfully reloaded zone "example\.org\." in ".*db" with 2 SOA serial/);
});

test('file source: reload_by_mtime takes a change whatever the serial', async (t) => {
  const folder = new Folder(t, ['example.org.']);
  folder.write('db', zoneText(1));
  await folder.startFile(['example.org.'], { byMtime: true });
  folder.write('db', zoneText(1).replace('192.0.2.1', '192.0.2.9'));
  await folder.tick();
  t.is(await folder.www(), '192.0.2.9');
});

test('file source: a broken file keeps the old zone and is named once with its line', async (t) => {
  const folder = new Folder(t, ['example.org.']);
  folder.write('db', zoneText(1));
  await folder.startFile(['example.org.']);
  folder.write('db', zoneText(2, 'bad 60 IN A nonsense\n'));
  await folder.tick();
  await folder.tick();
  t.is(await folder.www(), '192.0.2.1');
  t.is(folder.lines.length, 1);
  t.regex(folder.lines[0]!, /^\[ERROR\] Parsing zone "example\.org\.": .*db:5: A: .*nonsense.*still serving serial 1$/);
});

test('file source: a change of an included file is seen', async (t) => {
  const folder = new Folder(t, ['example.org.']);
  folder.write('soa', '@ 60 IN SOA ns h 1 2 3 4 5\n');
  folder.write('db', '$INCLUDE soa\nwww 60 IN A 192.0.2.1\n');
  await folder.startFile(['example.org.']);
  folder.write('soa', '@ 60 IN SOA ns h 2 2 3 4 5\nmore 60 IN A 192.0.2.7\n');
  await folder.tick();
  t.is((await folder.rig.ask('more.example.org'))[0], 'NOERROR aa');
});

test('file source: names that are gone are gone, and old versions give their trees back', async (t) => {
  const folder = new Folder(t, ['example.org.']);
  folder.write('db', zoneText(1, 'old 60 IN A 192.0.2.7\n'));
  await folder.startFile(['example.org.']);
  const { writer } = folder.rig;
  const before = writer.stats().entries;
  for (let serial = 2; serial < 6; serial++) {
    folder.write('db', zoneText(serial));
    await folder.tick();
  }
  t.is((await folder.rig.ask('old.example.org'))[0], 'NXDOMAIN aa');
  for (let i = 0; i < 20; i++) {
    writer.commit();
    await new Promise((resolve) => void setImmediate(resolve));
  }
  t.is(writer.stats().entries, before - 1);
});

test('file source: a missing file is waited for; without reload it is an error', async (t) => {
  const folder = new Folder(t, ['example.org.']);
  await t.throwsAsync(folder.startFile(['example.org.'], { reloadMs: 0 }), { name: 'ConfigError', message: /ENOENT/ });
  await folder.startFile(['example.org.']);
  t.deepEqual(await folder.rig.ask('www.example.org'), ['SERVFAIL']);
  folder.write('db', zoneText(3));
  await folder.tick();
  t.is(await folder.www(), '192.0.2.3');
});

const REFUSED: readonly (readonly [string, string, number, RegExp])[] = [
  ['a file without SOA', 'www 60 IN A 192.0.2.1\n', 1, /no SOA/],
  ['an $INCLUDE of nothing', zoneText(1, '$INCLUDE absent\n'), 5, /absent/],
  ['an $INCLUDE of itself', zoneText(1, '$INCLUDE db\n'), 5, /deeper than 7/],
  [
    'NSEC3 without NSEC3PARAM',
    zoneText(1, `${'a'.repeat(32)} 60 IN NSEC3 1 0 0 - ${'b'.repeat(32)} A\n`),
    5,
    /NSEC3PARAM/,
  ],
];
for (const [what, text, line, message] of REFUSED) {
  test(`file source: ${what} stops the start with file and line`, async (t) => {
    const folder = new Folder(t, ['example.org.']);
    folder.write('db', text);
    const error = await t.throwsAsync(folder.startFile(['example.org.']), { name: 'ConfigError', message });
    t.like(error, { file: path.join(folder.path, 'db'), line, code: 'FILE' });
  });
}

const AUTO = { pattern: 'db\\.(.*)', template: '{1}', zones: ['test.'], reloadMs: 1000 };

test('folder source: zones come and go with their files', async (t) => {
  const folder = new Folder(t, ['a.test.', 'b.test.', 'a.other.']);
  folder.write('db.a.test', zoneText(1));
  folder.write('db.a.other', zoneText(1));
  fs.mkdirSync(path.join(folder.path, 'sub'));
  await folder.start('auto', { ...AUTO, directory: folder.path });
  t.is(await folder.www('a.test'), '192.0.2.1');
  t.is(await folder.www('a.other'), undefined, 'outside of the zones of the directive');
  folder.write('sub/db.b.test', zoneText(2));
  folder.write('db.a.test', zoneText(3));
  await folder.tick();
  t.is(await folder.www('b.test'), '192.0.2.2');
  t.is(await folder.www('a.test'), '192.0.2.3');
  fs.rmSync(path.join(folder.path, 'db.a.test'));
  await folder.tick();
  t.deepEqual(await folder.rig.ask('www.a.test'), ['SERVFAIL']);
  t.is(await folder.www('b.test'), '192.0.2.2');
});

test('folder source: a broken file costs its own zone only and is told once', async (t) => {
  const folder = new Folder(t, ['a.test.', 'b.test.']);
  folder.write('db.a.test', '@ IN SOA oops');
  folder.write('db.b.test', zoneText(2));
  await folder.start('auto', { ...AUTO, directory: folder.path });
  await folder.tick();
  t.is(await folder.www('b.test'), '192.0.2.2');
  t.is(folder.lines.filter((line) => line.includes('db.a.test:1:')).length, 1);
  folder.write('db.a.test', zoneText(4));
  await folder.tick();
  t.is(await folder.www('a.test'), '192.0.2.4');
});

test('folder source: the folders of a Kubernetes volume are not walked, the links to them are followed', async (t) => {
  const folder = new Folder(t, ['a.test.']);
  fs.mkdirSync(path.join(folder.path, '..1'));
  folder.write('..1/db.a.test', zoneText(1));
  fs.symlinkSync('..1', path.join(folder.path, '..data'));
  fs.symlinkSync('..data/db.a.test', path.join(folder.path, 'db.a.test'));
  await folder.start('auto', { ...AUTO, directory: folder.path });
  t.is(await folder.www('a.test'), '192.0.2.1');
  t.false(folder.lines.some((line) => line.includes('Multiple')));
});

test('directory: the longest of several zones is found', (t) => {
  const folder = new Folder(t, []);
  const { rig } = folder;
  return rig
    .publish(zoneText(1), 'test.')
    .then(() => rig.publish(zoneText(2), 'sub.test.'))
    .then(() => {
      const name = new ScratchName();
      name.set(parseNameLower('a.b.sub.test.')!, 0);
      t.is(findLongestZone(rig.store, rig.directory, name), 2);
      name.set(parseNameLower('xsub.test.')!, 0);
      t.is(findLongestZone(rig.store, rig.directory, name), 1);
      name.set(parseNameLower('other.')!, 0);
      t.is(findLongestZone(rig.store, rig.directory, name), -1);
    });
});

test('template: groups by number and name, missing ones are empty', (t) => {
  const match = compileGoRegexp('db\\.(?P<name>.*?)\\.(.*)').exec('db.a.b')!;
  t.is(expandTemplate('{2}.{1}', match), 'b.a');
  t.is(expandTemplate('{name}.$2', match), 'a.b');
  t.is(expandTemplate('x{9}', match), 'x');
});

test('canonical key: names sort as in RFC 4034 section 6.1 and come back', (t) => {
  const origin = parseNameLower('example.')!;
  const names = [
    'example.',
    'a.example.',
    'yljkjljk.a.example.',
    'Z.a.example.',
    'zABC.a.EXAMPLE.',
    'z.example.',
    '\\001.z.example.',
    '*.z.example.',
    '\\200.z.example.',
  ];
  const keys = names.map((name) => canonicalKey(parseNameLower(name)!, origin)!);
  const sorting = sortInSlices(keys.toReversed());
  let step = sorting.next();
  while (!step.done) step = sorting.next();
  t.deepEqual(step.value, keys);
  for (const [i, key] of keys.entries()) {
    const absolute = Buffer.concat([relativeName(key), origin]);
    t.is(formatName(absolute), formatName(parseNameLower(names[i]!)!));
  }
  t.is(canonicalKey(parseNameLower('xexample.')!, origin), undefined);
  t.is(canonicalKey(parseNameLower('other.')!, origin), undefined);
});

test('sort: a large list in slices is sorted', (t) => {
  const list = Array.from({ length: 30_000 }, (_, i) => String((i * 7919) % 30_011));
  const sorting = sortInSlices(list);
  let slices = 0;
  let step = sorting.next();
  for (; !step.done; step = sorting.next()) slices++;
  t.deepEqual(step.value, list.toSorted());
  t.true(slices > 8);
});
