import test from 'ava';
import { formatRecord } from '../../../../lib/wire/record.ts';
import { parseNameLower } from '../../../../lib/wire/name.ts';
import { parseGenerate } from '../../../../lib/sources/zone-file/generate.ts';
import { isRecord, MasterFileParser, startOfZone } from '../../../../lib/sources/zone-file/master-file.ts';
import { ZoneFileError } from '../../../../lib/sources/zone-file/zone-file-error.ts';

function parse(text: string): string[] {
  const parser = new MasterFileParser('db', startOfZone(parseNameLower('example.org.')!));
  const records: string[] = [];
  for (const line of text.split('\n')) {
    const step = parser.takeLine(line);
    if (step === undefined) continue;
    if (isRecord(step)) records.push(formatRecord(step));
    else if (step.kind === 'generate') for (const record of step.records) records.push(formatRecord(record));
    else records.push(`include ${step.path} at ${String(step.state.origin.length)}`);
  }
  parser.end();
  return records;
}

const READ: readonly (readonly [string, string, readonly string[]])[] = [
  ['relative owner', 'www 60 IN A 192.0.2.1', ['www.example.org. 60 IN A 192.0.2.1']],
  ['class before TTL', 'www IN 1h A 192.0.2.1', ['www.example.org. 3600 IN A 192.0.2.1']],
  ['a TTL as owner', '60 60 A 192.0.2.1', ['60.example.org. 60 IN A 192.0.2.1']],
  [
    'owner and TTL of the line before',
    'a 60 A 192.0.2.1\n  A 192.0.2.2',
    ['a.example.org. 60 IN A 192.0.2.1', 'a.example.org. 60 IN A 192.0.2.2'],
  ],
  [
    'an explicit TTL after $TTL counts for its record alone',
    '$TTL 5\na 60 A 192.0.2.1\nb A 192.0.2.2',
    ['a.example.org. 60 IN A 192.0.2.1', 'b.example.org. 5 IN A 192.0.2.2'],
  ],
  [
    '$ORIGIN relative to the one before',
    '$ORIGIN a\n$ORIGIN b\n@ 1 A 192.0.2.1',
    ['b.a.example.org. 1 IN A 192.0.2.1'],
  ],
  [
    'parentheses over lines, comments within',
    'a 1 MX ( 10 ; prefer\n\n  mail )',
    ['a.example.org. 1 IN MX 10 mail.example.org.'],
  ],
  ['a parenthesis in quotes', 'a 1 TXT "(" ")"', ['a.example.org. 1 IN TXT "(" ")"']],
  ['a semicolon in quotes, a comment behind', 'a 1 TXT "x;y" ; z', ['a.example.org. 1 IN TXT "x;y"']],
  [
    'carriage returns',
    'a 1 A 192.0.2.1\r\n\r\nb 1 A 192.0.2.2\r',
    ['a.example.org. 1 IN A 192.0.2.1', 'b.example.org. 1 IN A 192.0.2.2'],
  ],
  ['an unknown type', 'a 1 TYPE65280 \\# 2 abcd', ['a.example.org. 1 IN TYPE65280 \\# 2 abcd']],
  ['$INCLUDE with an origin', '$INCLUDE more sub', ['include more at 17']],
  ['lines of white space and comments', ' \n\t; nothing\n', []],
  [
    '$GENERATE',
    '$GENERATE 1-3/2 h${0,2} 5 A 192.0.2.$',
    ['h01.example.org. 5 IN A 192.0.2.1', 'h03.example.org. 5 IN A 192.0.2.3'],
  ],
];
for (const [what, text, expected] of READ) {
  test(`master file: ${what}`, (t) => t.deepEqual(parse(text), [...expected]));
}

const BROKEN: readonly (readonly [string, string, number, RegExp])[] = [
  ['not an address', 'a 1 A 192.0.2.1\nb 1 A nonsense', 2, /A: .*nonsense/],
  ['an unknown type', 'a 1 IN NONSENSE x', 1, /"NONSENSE" is not a record type/],
  ['no TTL', 'a A 192.0.2.1', 1, /no TTL/],
  ['no owner', '  1 A 192.0.2.1', 1, /no owner/],
  ['an open parenthesis: the record it starts in', '\na 1 MX ( 10\nmail\n', 2, /"\(" without "\)"/],
  ['a stray parenthesis', 'a 1 A 192.0.2.1 )', 1, /"\)" without "\("/],
  ['an open quote', 'a 1 TXT "x\nb 1 A 192.0.2.1', 1, /quote/],
  ['an unknown directive', '$NONSENSE x', 1, /unknown directive "\$NONSENSE"/],
  ['$TTL that is none', '$TTL soon', 1, /soon/],
  ['$GENERATE backwards', '$GENERATE 5-1 h$ 1 A 192.0.2.$', 1, /\$GENERATE: .*5-1/],
  ['$GENERATE of too many', '$GENERATE 0-65536 h$ 1 A 192.0.2.1', 1, /65536 records/],
  ['$GENERATE that makes no record', '$GENERATE 1-300 h$ 1 A 192.0.2.$', 1, /256/],
];
for (const [what, text, line, message] of BROKEN) {
  test(`master file: ${what} names line ${line}`, (t) => {
    const error = t.throws(() => parse(text), { instanceOf: ZoneFileError });
    t.is(error.file, 'db');
    t.is(error.line, line);
    t.regex(error.message, message);
  });
}

test('$GENERATE: offsets, widths, bases and dollar signs', (t) => {
  const lines = (text: string): string[] => [...parseGenerate(`$GENERATE ${text}`)];
  t.deepEqual(lines('9-10 a${1,3,x} $$ \\$ $'), ['a00a \\$ \\$ 9', 'a00b \\$ \\$ 10']);
  t.deepEqual(lines('255-255 ${0,0,X} ${0,4,o} ${-5}'), ['FF 0377 250']);
});
