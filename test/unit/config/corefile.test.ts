// The grammar of the Corefile as a whole: blocks, snippets, imports, variables, refusals with their places.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'ava';
import * as fc from 'fast-check';
import { ConfigError, type ErrorCode } from '../../../lib/base/errors.ts';
import type { Corefile } from '../../../lib/config/corefile.ts';
import { parseFromDisk, parseTestCorefile, type TestInput } from './parse-test-corefile.ts';

/** Logged by CoreDNS 1.14.7 (`Running configuration SHA512`) for the text of the test below. */
const HASH =
  'b411e853170018a045a6c16c4e250017ca641117bfefc7351553c0fb0bee4a86f8e1618645f50a7ffe300d803689de20deacf93d41ba817f5a349b7af9120af1';

/** One line a block: keys, then directives with their options, as short text. */
function show({ blocks }: Corefile): string[] {
  return blocks.map(({ keys, directives }) => {
    const heads = keys.map(({ scheme, zone, port }) => `${scheme}://${zone}:${port}`).join(' ');
    const lines = directives.map((directive) => {
      const options = directive.options().map((option) => [option.name, ...option.values].join(' '));
      const block = directive.block === undefined ? '' : ` { ${options.join('; ')} }`;
      return `${[directive.name, ...directive.values].join(' ')}${block}`;
    });
    return `${heads} | ${lines.join(', ')}`;
  });
}

const ACCEPTED: readonly (readonly [string, string, readonly string[], TestInput?])[] = [
  ['nothing at all is the built-in default', '# x\n', ['dns://.:53 | whoami, log']],
  [
    'the default port is that of the command line, not of keys with a port or scheme',
    '. a:53 tls://. {\n}',
    ['dns://.:1053 dns://a.:53 tls://.:853 | '],
    { defaultPort: 1053 },
  ],
  [
    'several keys, with commas over lines',
    'a:1,\nb:2 c:3, {x}:4 {\nlog\n}',
    ['dns://a.:1 dns://b.:2 dns://c.:3 dns://{x}.:4 | log'],
  ],
  ['one block may do without braces', '.:53\nlog\ncache 30\n', ['dns://.:53 | log, cache 30']],
  ['a brace on the next line opens the block', '.\n\n{\nlog\n}', ['dns://.:53 | log']],
  ['a stray closing brace is a zone', '. {\nlog\n}\n}\n', ['dns://.:53 | log', 'dns://}.:53 | ']],
  ['a block without a key is dropped', '{\nlog\n}\n', ['dns://.:53 | whoami, log']],
  [
    'directives keep the order of the text',
    '. {\nlog a\nerrors\nlog b {\nclass error\n}\n}',
    ['dns://.:53 | log a, errors, log b { class error }'],
  ],
  [
    'a block closed on the line of its option gives the brace to the option',
    '. {\nlog { class error }\n}',
    ['dns://.:53 | log { class error } }'],
  ],
  [
    'a snippet is put in place, also within a directive',
    '(s) {\nclass error\n}\n(l) {\nlog {\nimport s\n}\n}\n. {\nimport l\nerrors\n}',
    ['dns://.:53 | log { class error }, errors'],
  ],
  ['a snippet wins over a file', '(s) {\nlog\n}\n. {\nimport s\n}', ['dns://.:53 | log'], { files: { s: 'errors' } }],
  ['a whole server may come from a snippet', '(s) {\na {\nlog\n}\n}\nimport s\n', ['dns://a.:53 | log']],
  [
    'imports are relative to the importing file',
    '. {\nimport sub/a\n}',
    ['dns://.:53 | log'],
    { files: { 'sub/a': 'import b', 'sub/b': 'log' } },
  ],
  [
    'a pattern takes the files in order',
    '. {\nimport c/*.conf\n}',
    ['dns://.:53 | errors, log'],
    { files: { 'c/b.conf': 'log', 'c/a.conf': 'errors', 'c/c.txt': 'x' } },
  ],
  [
    'an imported file may close the block',
    '. {\nimport a\nb {\n}',
    ['dns://.:53 | log', 'dns://b.:53 | '],
    { files: { a: 'log\n}' } },
  ],
  [
    'variables in keys, names, arguments and imports',
    '{$Z}:{%P%} {\n{$D} "{$A} x" {$U}\nimport {$F}\n}',
    ['dns://a b.:7 | log q x , errors'],
    { environment: { Z: 'a b', P: '7', D: 'log', A: 'q', F: 'f' }, files: { f: 'errors' } },
  ],
  [
    'a reference without a name ends replacing, one without an end stays',
    '. {\nlog {$}{$A} {$A\n}',
    ['dns://.:53 | log {$}{$A} {$A'],
    { environment: { A: 'x' } },
  ],
  [
    'a variable may bring in another',
    '. {\nlog {$A}\n}',
    ['dns://.:53 | log x'],
    { environment: { A: '{$B}', B: 'x' } },
  ],
];
for (const [title, text, expected, input] of ACCEPTED)
  test(`accepts: ${title}`, (t) => {
    t.deepEqual(show(parseTestCorefile(text, input)), expected);
  });

const REFUSED: readonly (readonly [ErrorCode, string, string, TestInput?])[] = [
  ['DIRECTIVE_UNKNOWN', '. {\nlog\nrewirte a b\n}', 'Corefile:3: unknown directive "rewirte", did you mean "rewrite"?'],
  [
    'DIRECTIVE_UNKNOWN',
    '. {\nprometheus:9153\n}',
    'Corefile:2: unknown directive "prometheus:9153", put a blank before ":9153"',
  ],
  ['DIRECTIVE_UNKNOWN', '. {\nwhoami}', 'Corefile:2: unknown directive "whoami}", put the "}" on a line of its own'],
  [
    'DIRECTIVE_UNKNOWN',
    '. {\n{{- if }}\n}',
    'Corefile:2: unknown directive "{{-", this looks like a template that was not rendered',
  ],
  [
    'DIRECTIVE_UNKNOWN',
    '. {\nlog\n.:54 {\n}',
    'Corefile:3: unknown directive ".:54", is the "}" of the server block above missing, or a comma between two keys?',
  ],
  [
    'DIRECTIVE_UNKNOWN',
    '. {\nunbound\n}',
    'Corefile:2: unknown directive "unbound", a plugin from outside CoreDNS that this program does not have',
  ],
  [
    'DIRECTIVE_REMOVED',
    '. {\nproxy . 10.0.0.1\n}',
    'Corefile:2: proxy: removed from CoreDNS, write "forward FROM TO..." instead (forward . /etc/resolv.conf)',
  ],
  [
    'DIRECTIVE_REMOVED',
    '. {\nfederation x\n}',
    'Corefile:2: federation: removed from CoreDNS, delete it, Kubernetes cluster federation no longer exists',
  ],
  ['SYNTAX', '. {\nlog\n', 'Corefile:2: the server block opened on line 1 has no closing "}" (last word: "log")'],
  ['SYNTAX', '. {\nlog {\nclass x\n', 'Corefile:3: the block of "log" (line 2) has no closing "}"'],
  ['SYNTAX', '. {\nlog }\n', 'Corefile:2: "}" without an opening "{" on the line of "log"'],
  ['SYNTAX', 'a, {\n}', 'Corefile:1: another key must follow the comma, not "{"'],
  ['SYNTAX', 'a,', 'Corefile:1: another key must follow the comma, but the text ends'],
  ['SYNTAX', '(s) {\nlog\n', 'Corefile:2: the snippet (s) has no closing "}"'],
  ['SYNTAX', '(s) {\n}\n(s) {\n}\n', 'Corefile:3: the snippet (s) is already defined above'],
  ['SYNTAX', '(s)\nlog\n', 'Corefile:2: "{" must follow the snippet name (s), not "log"'],
  ['SYNTAX', '. {\nimport\n}', 'Corefile:2: import: a snippet or file must follow'],
  ['SYNTAX', '. {\nimport a b\n}', 'Corefile:2: import: takes one snippet, file or pattern, and no arguments for it'],
  [
    'SYNTAX',
    '. {\nlog {$A}\n}',
    'Corefile:2: the variables in "{$A}" lead back to themselves',
    { environment: { A: '{$B}', B: '{$A}' } },
  ],
  [
    'SYNTAX',
    '. {\nerrors {$A}\n}',
    'Corefile:2: the variables in "{$A}" lead back to themselves',
    { environment: { A: 'xx{$A}{$A}' } },
  ],
  ['IMPORT', '. {\nimport f\n}', 'Corefile:2: import: neither a snippet defined above nor a file: f'],
  ['IMPORT', '. {\nimport d\n}', 'Corefile:2: import: d is a directory', { files: { d: null } }],
  ['IMPORT', '. {\nimport */*\n}', 'Corefile:2: import: "*/*" may hold one "*" and one "?", and no "[...]"'],
  ['IMPORT', '(s) {\nlog\nimport s\n}\n', 'Corefile:4: the snippet (s) imports itself'],
  [
    'IMPORT',
    '(a) {\nimport b\n}\n(b) {\nimport a\n}\n. {\nimport a\n}',
    'Corefile:5: import: more than 10000 imports, "a" leads back to itself',
  ],
  [
    'IMPORT',
    '. {\nimport f\n}',
    'f:1: import: more than 10000 imports, "f" leads back to itself',
    { files: { f: 'import f' } },
  ],
  ['DIRECTIVE_UNKNOWN', '. {\nimport f\n}', 'f:2: unknown directive "nosuch"', { files: { f: 'log\nnosuch' } }],
  ['KEY', '. {\n}\na..b {\n}', 'Corefile:3: key "a..b": the zone has an empty label'],
  ['KEY', '.:domain {\n}', 'Corefile:1: key ".:domain": the zone has an empty label, "domain" is not a port number'],
  ['KEY', '.:53{\nlog\n}', 'Corefile:1: key ".:53{": the zone has an empty label, put a blank before the "{"'],
  ['KEY', '.:65536 {\n}', 'Corefile:1: key ".:65536": port 65536 is not between 0 and 65535'],
  [
    'DIRECTIVE_NOT_BUILT',
    '. {\nlog\ngeoip x\n}',
    'Corefile:3: geoip: this CoreDNS plugin is not built here, write "view" with an expression on client_ip (incidr) to answer by network, or "acl" to refuse by network',
    { without: ['geoip'] },
  ],
  ['DIRECTIVE_UNKNOWN', '. {\ngeoip x\nnosuch\n}', 'Corefile:3: unknown directive "nosuch"', { without: ['geoip'] }],
];
for (const [code, text, expected, input] of REFUSED)
  test(`refuses ${JSON.stringify(text).slice(0, 60)}: ${expected}`, (t) => {
    const error = t.throws(() => parseTestCorefile(text, input), { instanceOf: ConfigError });
    t.is(error.format().replaceAll(`${process.cwd()}/`, ''), expected);
    t.is(error.code, code);
  });

test('an import that doubles with every step ends at the bound of words or imports', (t) => {
  const steps = Array.from({ length: 30 }, (_, n) => `(s${n + 1}) {\nimport s${n}\nimport s${n}\n}\n`);
  const text = `(s0) {\n${'log\n'.repeat(200)}}\n${steps.join('')}. {\nimport s30\n}\n`;
  t.is(t.throws(() => parseTestCorefile(text), { instanceOf: ConfigError }).code, 'IMPORT');
});

test('all directives that are not built can be collected', (t) => {
  const found: string[] = [];
  parseTestCorefile('. {\ngeoip x\nlog\nnomad\n}', {
    without: ['geoip', 'nomad'],
    onNotBuilt: (error) => found.push(`${error.line} ${error.code}`),
  });
  t.deepEqual(found, ['2 DIRECTIVE_NOT_BUILT', '4 DIRECTIVE_NOT_BUILT']);
});

test('a line imported twice is one use with arguments, as in CoreDNS, and a remark says so', (t) => {
  const corefile = parseTestCorefile('(s) {\nlog\n}\n. {\nimport s\nerrors\nimport s\n}');
  t.deepEqual(show(corefile), ['dns://.:53 | log log, errors']);
  t.is(
    corefile.warnings[0]!.message,
    'log: this line is imported twice, the second "log" counts as an argument of the first',
  );
});

test('remarks: a pattern without a match, an odd zone, a brace that opens nothing', (t) => {
  const { warnings } = parseTestCorefile('_a {\nimport x/*\nlog\n{\nclass error\n}\n}');
  t.deepEqual(
    warnings.map(({ message, line }) => [line, message]),
    [
      [2, 'No files matching import glob pattern: x/*'],
      [4, 'log: this "{" opens no block, it must stand on the line of "log"'],
      [1, 'domain "_a." does not follow RFC1035 preferred syntax'],
    ],
  );
});

test('the hash is the one that CoreDNS 1.14.7 logs for the same text', (t) => {
  const text =
    '.:15398 {\n    bind 127.0.0.9\n    reload 2s 1s\n    log . "{remote} <&>\u2028 \\"q\\" \t\u0001\u007f"\n    log a "x\ny"\n    whoami\n}\n';
  t.is(parseTestCorefile(text).hash, HASH);
});

test('the hash changes with an imported file and with a line, not with a comment', (t) => {
  const hash = (text: string, imported: string): string => parseTestCorefile(text, { files: { f: imported } }).hash;
  const first = hash('. {\nimport f\n}', 'log');
  t.is(hash('. { # x\nimport f\n}', 'log'), first);
  t.not(hash('. {\nimport f\n}', 'errors'), first);
  t.not(hash('.\n{\nimport f\nlog\n}', 'log'), first);
});

test('files: imports are read from the disk, patterns sorted, folders refused, all files listed', (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'corefile-'));
  t.teardown(() => fs.rmSync(folder, { recursive: true }));
  fs.mkdirSync(path.join(folder, 'custom/sub'), { recursive: true });
  fs.writeFileSync(path.join(folder, 'custom/b.override'), 'log');
  fs.writeFileSync(path.join(folder, 'custom/a.override'), 'errors');
  fs.writeFileSync(path.join(folder, 'last'), 'whoami');
  const file = path.join(folder, 'Corefile');
  const parse = (text: string): Corefile => parseFromDisk(text, file);
  const corefile = parse('. {\nimport custom/*.override\nimport last\n}');
  t.deepEqual(show(corefile), ['dns://.:53 | errors, log, whoami']);
  t.deepEqual(
    corefile.importedFiles,
    ['custom/a.override', 'custom/b.override', 'last'].map((name) => path.join(folder, name)),
  );
  t.is(t.throws(() => parse('. {\nimport custom/*\n}'), { instanceOf: ConfigError }).code, 'IMPORT');
  t.is(t.throws(() => parse('. {\nimport nosuch\n}'), { instanceOf: ConfigError }).line, 2);
});

test('any heap of words is accepted or refused with a ConfigError that has a line', (t) => {
  const words = [
    '{',
    '}',
    '\n',
    '"',
    '\\',
    '#',
    'log',
    'nosuch',
    'import s',
    '(s)',
    '. {\n',
    'a,',
    '{$A}',
    '{%',
    ':53',
    '\r',
  ];
  const heap = fc.array(fc.oneof(fc.constantFrom(...words), fc.string()), { maxLength: 20 });
  fc.assert(
    fc.property(heap, fc.string(), (parts, A) => {
      try {
        parseTestCorefile(parts.join(' '), { environment: { A } });
      } catch (error) {
        if (!(error instanceof ConfigError) || error.line < 1) throw error;
      }
    }),
    { numRuns: 2000 },
  );
  t.pass();
});
