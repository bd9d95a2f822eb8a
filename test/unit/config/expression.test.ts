// Expressions: every case was run through expr-lang with the same functions.
import test from 'ava';
import { makeQueryFunctions } from '../../../lib/chain/query-functions.ts';
import { Query, TRANSPORT } from '../../../lib/chain/query.ts';
import { compileExpression, type ExpressionScope } from '../../../lib/config/expression/compile.ts';
import { ExpressionError } from '../../../lib/config/expression/lexer.ts';
import { ExpressionRunError, formatExpressionValue } from '../../../lib/config/expression/value.ts';
import { parseName } from '../../../lib/wire/name.ts';

const SCOPE: ExpressionScope<Query> = { functions: makeQueryFunctions((query: Query) => query), variables: new Map() };

const QUERY = new Query();
QUERY.setName(parseName('www.example.org.')!);
QUERY.qtype = 1;
QUERY.qclass = 1;
QUERY.id = 4711;
QUERY.clientPort = 1234;
QUERY.serverPort = 53;
QUERY.packetLength = 40;
QUERY.clientAddress.set([127, 0, 0, 1]);
QUERY.serverAddress.set([127, 0, 0, 1]);

function evaluate(text: string, query = QUERY): string {
  try {
    return formatExpressionValue(compileExpression(text, SCOPE).run(query));
  } catch (error) {
    if (error instanceof ExpressionError) return 'compile error';
    if (error instanceof ExpressionRunError) return 'run error';
    throw error;
  }
}

const CASES: readonly (readonly [expression: string, result: string])[] = [
  ['1 + 2', '3'],
  ['1 + 2.5', '3.5'],
  ['10 / 4', '2.5'],
  ['10 / 5', '2'],
  ['7 % 3', '1'],
  ['7 % 2.5', 'compile error'],
  ['2 ** 3', '8'],
  ['2 ^ 3 ^ 2', '512'],
  ['-2 ** 2', '-4'],
  ['1 < 2 < 3', 'true'],
  ['3 > 2 > 2', 'false'],
  ['\'a\' + \'b\'', 'ab'],
  ['\'a\' + 1', 'compile error'],
  ['1 == 1.0', 'true'],
  ['\'a\' == 1', 'compile error'],
  ['true and false', 'false'],
  ['true && !false', 'true'],
  ['not true or true', 'true'],
  ['1 and 2', 'compile error'],
  ['name() == \'www.example.org.\'', 'true'],
  ['name() matches \'^www[.]\'', 'true'],
  ['name() matches \'(\'', 'compile error'],
  ['name() contains \'example\'', 'true'],
  ['name() startsWith \'www\' and name() endsWith \'.org.\'', 'true'],
  ['type() in [\'A\', \'AAAA\']', 'true'],
  ['type() not in [\'A\', \'AAAA\']', 'false'],
  ['not (type() in [\'A\'])', 'false'],
  ['not type() in [\'A\']', 'compile error'],
  ['type() in [\'MX\']', 'false'],
  ['1 in [\'a\']', 'compile error'],
  ['\'a\' in {a: 1}', 'true'],
  ['{a: 1}.a', '1'],
  ['{a: 1}[\'b\']', '<nil>'],
  [`{'a': 1, "b": 2}?.c`, '<nil>'],
  ['[1,2,3][0]', '1'],
  ['[1,2,3][-1]', '3'],
  ['[1,2,3][5]', 'run error'],
  ['[1,2,3][1:]', '[2 3]'],
  ['[1,2,3][:-1]', '[1 2]'],
  ['\'hello\'[1:3]', 'el'],
  ['len(\'abc\') + len([1,2])', '5'],
  ['1..3', '[1 2 3]'],
  ['(1..3)[1]', '2'],
  ['bufsize() > 512 ? \'big\' : \'small\'', 'small'],
  ['do() ?: true', 'true'],
  ['nil ?? \'x\'', 'x'],
  ['let x = 5; x * 2', '10'],
  ['let x = 5; let y = x + 1; x * y', '30'],
  ['if do() { 1 } else { 2 }', '2'],
  ['if 1 > 2 { 1 } else if 2 > 1 { 3 } else { 2 }', '3'],
  ['any([1,2,3], # > 2)', 'true'],
  ['all([1,2,3], {# > 0})', 'true'],
  ['none([1,2,3], # > 5)', 'true'],
  ['one([1,2,3], # == 2)', 'true'],
  ['filter([1,2,3], # > 1)', '[2 3]'],
  ['map([1,2,3], # * 2)', '[2 4 6]'],
  ['count([1,2,3], # > 1)', '2'],
  ['count([true,false])', '1'],
  ['find([1,2,3], # > 1)', '2'],
  ['findIndex([1,2,3], # > 1)', '1'],
  ['findIndex([1,2,3], # > 9)', '<nil>'],
  ['findLast([1,2,3], # > 1)', '3'],
  ['sum([1,2,3])', '6'],
  ['sum([1,2,3], # * 2)', '12'],
  ['reduce([1,2,3], #acc + #)', '6'],
  ['reduce([1,2,3], #acc + #, 10)', '16'],
  ['map([\'a\',\'b\'], #index)', '[0 1]'],
  ['upper(\'abc\') + lower(\'ABC\')', 'ABCabc'],
  ['trim(\'  a \') + \'|\' + trim(\'__a__\', \'_\')', 'a|a'],
  ['trimPrefix(\'HelloWorld\', \'Hello\')', 'World'],
  ['trimSuffix(\'HelloWorld\', \'World\')', 'Hello'],
  ['split(\'a,b,c\', \',\')', '[a b c]'],
  ['split(\'a,b,c\', \',\', 2)', '[a b,c]'],
  ['splitAfter(\'a,b,c\', \',\')', '[a, b, c]'],
  ['replace(\'a-b-c\', \'-\', \'.\')', 'a.b.c'],
  ['repeat(\'ab\', 3)', 'ababab'],
  ['join([\'a\',\'b\'], \'-\')', 'a-b'],
  ['join([\'a\',\'b\'])', 'ab'],
  ['indexOf(\'apple pie\', \'pie\')', '6'],
  ['lastIndexOf(\'apple pie apple\', \'apple\')', '10'],
  ['hasPrefix(\'abc\', \'a\')', 'true'],
  ['hasSuffix(\'abc\', \'c\')', 'true'],
  ['max(1, 5, 3)', '5'],
  ['min(1.5, 5)', '1.5'],
  ['mean([1,2,3])', '2'],
  ['median([1,2,3,4])', '2.5'],
  ['abs(-5)', '5'],
  ['ceil(1.5)', '2'],
  ['floor(1.5)', '1'],
  ['round(2.5)', '3'],
  ['int(\'42\')', '42'],
  ['int(4.7)', '4'],
  ['int(\'x\')', 'run error'],
  ['float(\'1.5\')', '1.5'],
  ['string(5)', '5'],
  ['string([1,2])', '[1 2]'],
  ['first([1,2])', '1'],
  ['last([])', '<nil>'],
  ['take([1,2,3], 2)', '[1 2]'],
  ['keys({a: 1})', '[a]'],
  ['reverse([1,2])', '[2 1]'],
  ['uniq([1,2,1])', '[1 2]'],
  ['concat([1],[2])', '[1 2]'],
  ['flatten([1,[2,[3]]])', '[1 2 3]'],
  ['sort([3,1,2])', '[1 2 3]'],
  ['sort([3,1,2], \'desc\')', '[3 2 1]'],
  ['toBase64(\'hi\')', 'aGk='],
  ['fromBase64(\'aGk=\')', 'hi'],
  ['bitand(6, 3)', '2'],
  ['bitshl(1, 4)', '16'],
  ['bitnot(5)', '-6'],
  ['\'a\' | upper()', 'A'],
  ['name() | split(\'.\') | len()', '4'],
  ['nosuch', 'compile error'],
  ['nosuch()', 'compile error'],
  ['type()', 'A'],
  ['type(\'a\')', 'compile error'],
  ['incidr(client_ip(), \'10.0.0.0/8\')', 'false'],
  ['incidr(\'10.1.1.1\', \'10.0.0.0/8\')', 'true'],
  ['incidr(\'x\', \'10.0.0.0/8\')', 'run error'],
  ['incidr(client_ip())', 'compile error'],
  ['incidr(1, 2)', 'compile error'],
  ['metadata(\'a/b\')', ''],
  ['metadata(\'a/b\') == \'\'', 'true'],
  ['id() >= 0', 'true'],
  ['port() == \'1234\'', 'true'],
  ['int(port()) > 1000', 'true'],
  ['do()', 'false'],
  ['!do()', 'true'],
  ['!name()', 'compile error'],
  ['-name()', 'compile error'],
  ['+1', '1'],
  ['1 +', 'compile error'],
  ['(1', 'compile error'],
  ['[1, 2', 'compile error'],
  ['\'abc', 'compile error'],
  ['"a\\tb"', 'a\tb'],
  ['\'a\\x41\\u00e9\'', 'aAé'],
  ['`raw\\n`', 'raw\\n'],
  ['0x10 + 0b11 + 0o17', '34'],
  ['1_000', '1000'],
  ['1e3', '1000'],
  ['.5', '0.5'],
  ['5.', '5'],
  ['true', 'true'],
  ['nil', '<nil>'],
  ['nil == nil', 'true'],
  ['name() == nil', 'false'],
  ['[1, \'a\', true]', '[1 a true]'],
  ['[1, 2.5]', '[1 2.5]'],
  ['[] == []', 'true'],
  ['[1,2] == [1,2]', 'true'],
  ['{a: [1]} == {a: [1]}', 'true'],
  ['/* c */ 1 // d', '1'],
  ['1 ; 2', '2'],
  ['this is not )', 'compile error'],
  ['type( ==', 'compile error'],
  ['client_ip( ==', 'compile error'],
  ['true ? 1', 'compile error'],
  ['a.b', 'compile error'],
  ['name().foo', 'compile error'],
  ['name()[0]', 'compile error'],
  ['"any"', 'any'],
  ['any([1], # == \'a\')', 'compile error'],
  ['any([\'a\'], incidr(client_ip(), #))', 'run error'],
  ['any(5, true)', 'compile error'],
  ['map([1], {let y = #; y + 1})', '[2]'],
  ['# + 1', 'compile error'],
  ['filter([{a: 1}, {a: 2}], .a > 1)', '[map[a:2]]'],
  ['1 > \'a\'', 'compile error'],
  ['\'a\' < \'b\'', 'true'],
  ['true > false', 'compile error'],
  ['5 in 1..10', 'true'],
  ['\'x\' in \'xyz\'', 'compile error'],
  ['class() == \'IN\' and opcode() == 0', 'true'],
  ['1 - -1', '2'],
  ['1--1', '2'],
  ['!true', 'false'],
  ['!!true', 'true'],
  ['3 - 2 - 1', '0'],
  ['2 * 3 + 4', '10'],
  ['2 + 3 * 4', '14'],
  ['10 % 4 * 2', '4'],
  ['true or false and false', 'true'],
  ['1 != 2', 'true'],
  ['"x" not startsWith "y"', 'true'],
  ['"x" not matches "y"', 'true'],
  ['len(map(1..3, #))', '3'],
  ['(1 + 2) * 3 == 9 && len(client_ip()) == 9 && !do()', 'true'],
  ['get([1,2], 0)', '1'],
  ['get({a: 1}, \'z\')', '<nil>'],
  ['"a" ?? "b"', 'a'],
  ['1 ?: 2', 'compile error'],
  ['type() == \'A\' ? true : \'no\'', 'true'],
  ['(type() == \'A\' ? true : \'no\') == true', 'true'],
  ['fromPairs([[\'a\', 1]])', 'map[a:1]'],
  ['toPairs({a: 1})', '[[a 1]]'],
  ['1 in [1.0, 2]', 'true'],
  ['string(1.0)', '1'],
  ['10 / 3', '3.3333333333333335'],
  ['7 / 0', '+Inf'],
  ['1.5 + 1.5', '3'],
  ['max([1, 2, 3])', '3'],
  ['len({a: 1})', '1'],
  [`"a" == 'a'`, 'true'],
  ['a ? b : c', 'compile error'],
  ['let type = 1; type', 'compile error'],
  ['let name = 1; name', 'compile error'],
  ['all([], false)', 'true'],
  ['sum([])', '0'],
  ['\'é\'', 'é'],
  ['len(\'é\')', '1'],
  ['upper(1)', 'compile error'],
  ['split(\'a\')', 'compile error'],
  ['name("x")', 'compile error'],
]; // biome-ignore format: a table

for (const [expression, result] of CASES) {
  test(`expression: ${expression} is ${result}`, (t) => {
    t.is(evaluate(expression), result);
  });
}

test('expression: a function named without parentheses is a compile error that says so', (t) => {
  t.throws(() => compileExpression("type == 'A'", SCOPE), { message: /type is a function, write type\(\)/ });
});

test('expression: nesting and ranges have bounds', (t) => {
  t.is(evaluate(`${'('.repeat(1000)}1${')'.repeat(1000)}`), 'compile error');
  t.is(evaluate('len(1..100000000)'), 'run error');
  t.is(evaluate("repeat('abc', 100000000)"), 'run error');
});

test('expression: functions over TCP and IPv6', (t) => {
  const query = new Query();
  query.transport = TRANSPORT.TCP;
  query.family = 6;
  query.clientAddress.set(Buffer.from('20010db8000000000000000000000001', 'hex'));
  t.is(evaluate('proto()', query), 'tcp');
  t.is(evaluate('bufsize()', query), '65535');
  t.is(evaluate('client_ip()', query), '2001:db8::1');
  t.is(evaluate("incidr(client_ip(), '2001:db8::/32')", query), 'true');
  t.is(evaluate("incidr(client_ip(), '10.0.0.0/8')", query), 'false');
});
