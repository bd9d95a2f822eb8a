// Signed zone files: what is in them, and when they are made anew.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { generateKeyPairSync } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import { ManualClock } from '../../../../lib/base/clock.ts';
import { startSignSource } from '../../../../lib/sources/zone-signer/source.ts';
import { keyTag, parsePrivateKey, type SigningKeyData } from '../../../../lib/wire/dnssec/signing-key.ts';
import { parseName } from '../../../../lib/wire/name.ts';
import { formatRecord, parseRecord, type ResourceRecord } from '../../../../lib/wire/record.ts';
import { formatType, RRTYPE } from '../../../../lib/wire/types.ts';
import { keepLines } from '../../plugins/block-rig.ts';

const DAY_MS = 86_400_000;
const ZONE = `@ 3600 IN SOA ns h 7 7200 3600 1209600 60
@ 3600 IN NS ns
@ 3600 IN DNSKEY 257 3 13 AAAA
ns 300 IN A 192.0.2.53
www 600 IN A 192.0.2.2
www 300 IN A 192.0.2.1
www 300 IN NSEC zzz A
*.w 300 IN A 192.0.2.3
a.b.c 300 IN TXT "deep"
sub 300 IN NS ns.sub
ns.sub 300 IN A 192.0.2.9
x.ns.sub 300 IN A 192.0.2.9
secure 300 IN NS ns.sub
secure 300 IN DS 1 13 2 0b9fa5a59eed715c26c1020c711b4f6ec42d58b0015e14337a39dad301c5afc3
`;

function makeKey(): SigningKeyData {
  const { x, d } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  const dnskey = new Uint8Array(Buffer.concat([Buffer.of(1, 1, 3, 15), Buffer.from(x!, 'base64url')]));
  const privateKey = parsePrivateKey(
    `Algorithm: 15\nPrivateKey: ${Buffer.from(d!, 'base64url').toString('base64')}`,
    dnskey,
  );
  return { owner: parseName('example.org.')!, ttlSeconds: 3600, dnskey, privateKey };
}
const key = makeKey();
const CELLS = { signed: 0, failures: 1 };

class Rig {
  readonly clock = new ManualClock(Date.now());
  readonly lines: string[] = [];
  /** Signed and failed. */
  readonly cells: Float64Array = new Float64Array(2);
  readonly folder: string = fs.mkdtempSync(path.join(os.tmpdir(), 'sign-'));
  readonly file: string = path.join(this.folder, 'db');
  readonly signed: string = path.join(this.folder, 'db.example.org.signed');

  constructor(t: ExecutionContext, zone = ZONE) {
    fs.writeFileSync(this.file, zone);
    t.teardown(() => fs.rmSync(this.folder, { recursive: true }));
  }

  /** One look at the file; how often it was signed. */
  async start(keys: readonly SigningKeyData[] = [key]): Promise<number> {
    this.lines.length = 0;
    const options = { file: this.file, zone: 'example.org.', directory: this.folder, keys, cells: CELLS };
    const env = { clock: this.clock, log: keepLines(this.lines), cells: this.cells };
    const source = startSignSource(options, env, { random: () => 0.5, pause: () => Promise.resolve() });
    await source.ready;
    source.stop();
    return this.lines.filter((line) => line.includes('Successfully')).length;
  }

  records(): ResourceRecord[] {
    return fs
      .readFileSync(this.signed, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => parseRecord(line));
  }
}

test('sign: every RRset of the zone is signed, cuts and glue are not, names are chained in order', async (t) => {
  const rig = new Rig(t);
  t.is(await rig.start(), 1);
  const records = rig.records();
  const text = records.filter(({ type }) => type === RRTYPE.NSEC).map((record) => formatRecord(record));
  t.deepEqual(text, [
    'example.org. 60 IN NSEC a.b.c.example.org. NS SOA RRSIG NSEC DNSKEY CDS CDNSKEY',
    'a.b.c.example.org. 60 IN NSEC ns.example.org. TXT RRSIG NSEC',
    'ns.example.org. 60 IN NSEC secure.example.org. A RRSIG NSEC',
    'secure.example.org. 60 IN NSEC sub.example.org. NS DS RRSIG NSEC',
    'sub.example.org. 60 IN NSEC *.w.example.org. NS RRSIG NSEC',
    '*.w.example.org. 60 IN NSEC www.example.org. A RRSIG NSEC',
    'www.example.org. 60 IN NSEC example.org. A RRSIG NSEC',
  ]);
  const covered = records
    .filter(({ type }) => type === RRTYPE.RRSIG)
    .map(
      ({ name, rdata }) =>
        `${formatRecord({ name, type: 0, class: 1, ttlSeconds: 0, rdata: Uint8Array.of() }).split(' ', 1)[0]} ${formatType((rdata[0]! << 8) | rdata[1]!)}`,
    );
  t.deepEqual(covered.filter((line) => !line.endsWith(' NSEC')), [
    'example.org. SOA', 'example.org. NS', 'example.org. DNSKEY', 'example.org. CDS', 'example.org. CDNSKEY',
    'a.b.c.example.org. TXT', 'ns.example.org. A', 'secure.example.org. DS', '*.w.example.org. A', 'www.example.org. A',
  ]); // biome-ignore format: a list
});

test('sign: the serial is the time, keys are the given ones, the lowest TTL counts, times leave room', async (t) => {
  const rig = new Rig(t);
  await rig.start();
  const records = rig.records();
  const seconds = Math.floor(rig.clock.nowMs() / 1000);
  t.true(formatRecord(records[0]!).includes(` ${seconds} 7200 3600 1209600 60`));
  const signature = records[1]!.rdata;
  const view = new DataView(signature.buffer, signature.byteOffset);
  t.is(view.getUint32(12), seconds - (3 + 9) * 3600);
  t.is(view.getUint32(8), seconds + (32 + 2.5) * 86_400);
  const dnskeys = records.filter(({ type }) => type === RRTYPE.DNSKEY);
  t.deepEqual(dnskeys.map(({ rdata }) => keyTag(rdata)), [keyTag(key.dnskey)]); // biome-ignore format: short
  const www = records.filter(({ name, type }) => type === RRTYPE.A && name[1] === 0x77 && name[0] === 3);
  t.deepEqual(www.map(({ ttlSeconds }) => ttlSeconds), [300, 300]); // biome-ignore format: short
});

test('sign: a good file stays; it is made anew after six days, for other keys, for a changed zone, when damaged', async (t) => {
  const rig = new Rig(t);
  t.is(await rig.start(), 1);
  t.is(await rig.start(), 0);
  t.regex(rig.lines.join(), /Skipping signing zone "example.org."/);
  rig.clock.advance(5 * DAY_MS);
  t.is(await rig.start(), 0);
  rig.clock.advance(DAY_MS);
  t.is(await rig.start(), 1);
  t.regex(rig.lines.join(), /was more than 144h ago/);
  t.is(await rig.start([makeKey()]), 1);
  t.regex(rig.lines.join(), /the keys have changed/);
  t.is(await rig.start(), 1);
  fs.utimesSync(rig.file, Date.now() / 1000 + 10, Date.now() / 1000 + 10);
  t.is(await rig.start(), 1);
  t.regex(rig.lines.join(), /was written since/);
  fs.utimesSync(rig.file, 1, 1);
  t.is(await rig.start(), 0);
  fs.writeFileSync(rig.signed, 'nonsense\nexample.org. 1 IN RRSIG SOA 13\n');
  t.is(await rig.start(), 1);
  t.regex(rig.lines.join(), /no SOA RRSIG found/);
  rig.clock.advance(-20 * DAY_MS);
  t.is(await rig.start(), 1);
  t.regex(rig.lines.join(), /in the future/);
});

test('sign: a broken zone is told with its line, what was there stays, nothing is left behind', async (t) => {
  const rig = new Rig(t);
  await rig.start();
  const before = fs.readFileSync(rig.signed, 'utf8');
  fs.writeFileSync(rig.file, `${ZONE}www 300 IN A 999.0.0.1\n`);
  fs.utimesSync(rig.file, Date.now() / 1000 + 10, Date.now() / 1000 + 10);
  t.is(await rig.start(), 0);
  t.regex(rig.lines.at(-1)!, /Error signing "example.org." .*db:15: A: .*999/);
  t.is(fs.readFileSync(rig.signed, 'utf8'), before);
  t.deepEqual([...rig.cells], [1, 1]);
  t.deepEqual(fs.readdirSync(rig.folder).sort(), ['db', 'db.example.org.signed']);
});

test('sign: it is looked at every five hours, and no more after stop', async (t) => {
  const rig = new Rig(t);
  const options = { file: rig.file, zone: 'example.org.', directory: rig.folder, keys: [key], cells: CELLS };
  const source = startSignSource(options, { clock: rig.clock, log: keepLines(rig.lines), cells: rig.cells });
  await source.ready;
  t.is(rig.clock.pending, 1);
  rig.clock.advance(5 * 3_600_000 - 1);
  t.is(rig.clock.pending, 1);
  source.stop();
  t.is(rig.clock.pending, 0);
});
