// Zone files with random damage: whatever they hold, reading ends with records or a ZoneFileError, and what was read answers.
import fs from 'node:fs';
import test from 'ava';
import { isRecord, MasterFileParser, startOfZone } from '../../../../lib/sources/zone-file/master-file.ts';
import { ZoneContents } from '../../../../lib/sources/zone-file/zone-contents.ts';
import { ZoneFileError } from '../../../../lib/sources/zone-file/zone-file-error.ts';
import { parseNameLower } from '../../../../lib/wire/name.ts';
import { ZoneRig } from '../../chain/zone-rig.ts';

const ROUNDS = 150;
const ODD = [
  '(',
  ')',
  '"',
  ';',
  '\\',
  '$',
  '\\000',
  '\\256',
  '@',
  '*',
  '.',
  '..',
  '$GENERATE',
  '$TTL',
  '$ORIGIN',
  '-1',
  '9'.repeat(11),
  '\\#',
  'é',
  '\0',
  'x'.repeat(300),
  '${0,300}',
  '1-9/0',
  'CH',
  'CLASS7',
  'TYPE0',
  'TYPE65535',
  'NSEC',
  'NSEC3PARAM',
  'DNAME',
  'CNAME',
  'NS',
];
const NAMES = ['', 'www.', 'nope.', 'blog.', 'lab.', 'x.lab.', 'q.apps.', 'old.', 'x.old.', '_sip._tcp.'];
const TYPES = ['A', 'NS', 'SOA', 'MX', 'ANY', 'DS', 'DNAME', 'CNAME', 'SRV', 'TYPE0', 'TYPE65535', 'RRSIG'];
const origin = parseNameLower('example.org.')!;

let state = 20_260_101;
function random(below: number): number {
  state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
  return (state >>> 8) % below;
}
const pick = <Item>(list: readonly Item[]): Item => list[random(list.length)]!;

function damage(words: readonly string[]): string {
  const damaged = [...words];
  for (let left = 1 + random(8); left > 0; left--) {
    const at = random(damaged.length);
    const way = random(3);
    if (way === 0) damaged[at] = pick(ODD);
    else if (way === 1) damaged.splice(at, 1 + random(3));
    else damaged.splice(at, 0, pick(words));
  }
  return damaged.join('');
}

/** Records of all lines that can be read; a line that cannot is passed over. */
function readWhatCanBeRead(text: string): ZoneContents {
  const contents = new ZoneContents(origin);
  const fresh = { ...startOfZone(origin), ttlSeconds: 60, hasTtlDirective: true, owner: origin };
  let parser = new MasterFileParser('db', fresh);
  for (const line of text.split('\n')) {
    try {
      const step = parser.takeLine(line);
      if (step === undefined) continue;
      if (isRecord(step)) contents.add(step);
      else if (step.kind === 'generate') for (const record of step.records) contents.add(record);
    } catch (error) {
      if (!(error instanceof ZoneFileError)) throw error;
      parser = new MasterFileParser('db', fresh);
    }
  }
  return contents;
}

test(`zone file: ${ROUNDS} damaged zones are read or refused, and answer what they are asked`, async (t) => {
  const words = fs.readFileSync('zones/example.org.zone', 'utf8').split(/(\s+)/);
  let served = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const contents = readWhatCanBeRead(damage(words));
    if (contents.serial === undefined) continue;
    served++;
    const rig = new ZoneRig(['example.org.']);
    await rig.publisher.publish(contents);
    for (let left = 10; left > 0; left--) {
      const [head] = await rig.ask(`${pick(NAMES)}example.org`, pick(TYPES), random(2) === 1);
      t.regex(head!, /^[A-Z]+( aa)?$/);
    }
  }
  t.true(served > ROUNDS / 2);
});
