import test from 'ava';
import * as fc from 'fast-check';
import { parseName } from '../../../lib/wire/name.ts';
import { formatClass, formatRecord, parseClass, parseRecord } from '../../../lib/wire/record.ts';
import { RecordTextError } from '../../../lib/wire/text.ts';
import { formatRcode, formatType, parseRcode, parseType } from '../../../lib/wire/types.ts';
import { RDATA_CASES } from './rdata-cases.ts';

// The same cases at every run; another seed here looks further.
fc.configureGlobal({ seed: 1 });

const origin = parseName('example.')!;
const CASES: readonly (readonly [text: string, printed: string])[] = [
  ['www 300 IN A 192.0.2.1', 'www.example. 300 IN A 192.0.2.1'],
  ['www IN 300 A 192.0.2.1', 'www.example. 300 IN A 192.0.2.1'],
  ['www A 192.0.2.1', 'www.example. 60 IN A 192.0.2.1'],
  ['www 1h A 192.0.2.1', 'www.example. 3600 IN A 192.0.2.1'],
  ['www CH TXT x', 'www.example. 60 CH TXT "x"'],
  ['  A 192.0.2.1', 'owner.example. 60 IN A 192.0.2.1'],
  ['@ MX 10 mail', 'example. 60 IN MX 10 mail.example.'],
  ['@ MX 10 @', 'example. 60 IN MX 10 example.'],
  ['www.other. type1 192.0.2.1', 'www.other. 60 IN A 192.0.2.1'],
  ['www CLASS32 TYPE731 \\# 1 ff', 'www.example. 60 CLASS32 TYPE731 \\# 1 ff'],
  [
    '@ SOA ns hostmaster (\n 1 ; serial\n 2h 30m 1w 5 )',
    'example. 60 IN SOA ns.example. hostmaster.example. 1 7200 1800 604800 5',
  ],
  ['www CH A \\# 3 00abcd', 'www.example. 60 CH A \\# 3 00abcd'],
  ['in 5 in a 192.0.2.1', 'in.example. 5 IN A 192.0.2.1'],
  ['5 5 A 192.0.2.1', '5.example. 5 IN A 192.0.2.1'],
];
for (const [text, printed] of CASES) {
  test(`parseRecord: ${JSON.stringify(text)} is ${printed}`, (t) => {
    const record = parseRecord(text, { origin, ttlSeconds: 60, owner: parseName('owner.example.')! });
    t.is(formatRecord(record), printed);
  });
}

const BAD: readonly (readonly [text: string, message: string])[] = [
  ['', 'a record is missing'],
  ['; nothing', 'a record is missing'],
  ['www', 'a record type is missing'],
  ['www 300 IN', 'a record type is missing'],
  ['www 300 IN BANANA x', '"BANANA" is not a record type'],
  ['www 300 300 A 192.0.2.1', '"300" is not a record type'],
  ['w..w A 192.0.2.1', '"w..w" is not a domain name'],
];
for (const [text, message] of BAD) {
  test(`parseRecord: ${JSON.stringify(text)} is refused: ${message}`, (t) => {
    t.throws(() => parseRecord(text), { name: 'RecordTextError', message });
  });
}

test('parseRecord: without an origin a name is absolute, without a TTL it is 3600', (t) => {
  t.is(formatRecord(parseRecord('www A 192.0.2.1'), '\t'), 'www.\t3600\tIN\tA\t192.0.2.1');
});

test('formatType, formatClass, formatRcode: numbers without a name come and go as TYPEn, CLASSn, RCODEn', (t) => {
  t.is(formatType(65_280), 'TYPE65280');
  t.is(parseType('type65280'), 65_280);
  t.is(parseType('TYPE65536'), undefined);
  t.is(parseType('toString'), undefined);
  t.is(parseClass('class9'), 9);
  t.is(parseClass('constructor'), undefined);
  t.is(parseClass('CLASS65536'), undefined);
  t.is(formatClass(9), 'CLASS9');
  t.is(formatRcode(77), 'RCODE77');
  t.is(parseRcode('nxdomain'), 3);
  t.is(parseRcode('__proto__'), undefined);
});

test('parseRecord: broken text is a record or a RecordTextError, and what is a record is printed as one', (t) => {
  const edit = fc.tuple(
    fc.nat(200),
    fc.nat(3),
    fc.oneof(
      fc.constantFrom('"', '\\', '(', ')', ';', '=', ',', '.', ' ', '\n', '\\#', '@'),
      fc.string({ maxLength: 3 }),
    ),
  );
  fc.assert(
    fc.property(
      fc.constantFrom(...RDATA_CASES),
      fc.array(edit, { minLength: 1, maxLength: 4 }),
      ([type, text], edits) => {
        let line = `a.example. 5 IN ${type} ${text}`;
        for (const [at, removed, added] of edits) {
          const place = at % (line.length + 1);
          line = line.slice(0, place) + added + line.slice(place + removed);
        }
        try {
          const record = parseRecord(line);
          const printed = formatRecord(record);
          const again = parseRecord(printed);
          t.deepEqual(
            [again.type, again.class, again.ttlSeconds],
            [record.type, record.class, record.ttlSeconds],
            line,
          );
          t.deepEqual([...again.name, ...again.rdata], [...record.name, ...record.rdata], line);
        } catch (error) {
          if (!(error instanceof RecordTextError)) throw error;
        }
      },
    ),
    { numRuns: 4000 },
  );
});
