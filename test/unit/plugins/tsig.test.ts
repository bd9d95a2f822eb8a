// The tsig directive: keys, key files, what is required, what is refused.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'ava';
import { ConfigError } from '../../../lib/base/errors.ts';
import { KeyFileError, parseKeyFile } from '../../../lib/plugins/tsig/key-file.ts';
import type { TsigOptions } from '../../../lib/plugins/tsig/setup.ts';
import { BlockRig } from './block-rig.ts';

const SECRET = 'NoTCJU+DMqFWywaPyxSijrDEA/eC3nK0xi3AMEZuPVk=';
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tsig-setup-'));
test.after.always(() => fs.rmSync(folder, { recursive: true, force: true }));
fs.writeFileSync(
  path.join(folder, 'keys'),
  `key "K.example." {\n  algorithm hmac-sha256;\n  secret "${SECRET}";\n};\n`,
);
fs.writeFileSync(path.join(folder, 'bad'), 'key "a" {\n  secrets "x";\n};\n');

const optionsOf = (rig: BlockRig): TsigOptions =>
  rig.chain.find(({ plugin }) => plugin === 'tsig')!.options as TsigOptions;

test('tsig: names of keys without regard to case, secrets from line and file, types and opcodes', (t) => {
  const rig = new BlockRig(
    `root ${folder}\ntsig a.test {\nsecret Line.Key ${SECRET}\nsecrets keys\nrequire AXFR IXFR\nrequire_opcode NOTIFY\n}\nwhoami`,
  );
  t.deepEqual(Object.keys(rig.context.listener.tsigSecrets ?? {}), ['line.key.', 'k.example.']);
  t.is(Buffer.from(rig.context.listener.tsigSecrets!['k.example.']!).toString('base64'), SECRET);
  t.deepEqual(optionsOf(rig), { zones: ['a.test.'], types: [252, 251], opcodes: [4] });
});

const CHOICES: readonly (readonly [string, Partial<TsigOptions>])[] = [
  ['tsig', { types: [], opcodes: [] }],
  ['tsig {\nrequire all\nrequire_opcode none\n}', { types: 'all', opcodes: [] }],
  ['tsig {\nrequire none\nrequire_opcode all\n}', { types: [], opcodes: 'all' }],
];
for (const [body, expected] of CHOICES) {
  test(`tsig: ${JSON.stringify(body)}`, (t) => {
    t.like(optionsOf(new BlockRig(`${body}\nwhoami`)), expected);
  });
}

const REFUSED: readonly (readonly [body: string, code: ConfigError['code'], line: number, message: RegExp])[] = [
  ['tsig\ntsig', 'DIRECTIVE_REPEATED', 4, /once/],
  ['tsig {\nsecret a.\n}', 'ARGUMENT_COUNT', 4, /takes 2/],
  ['tsig {\nsecret a..b x\n}', 'ARGUMENT_VALUE', 4, /name of a key/],
  ['tsig {\nsecret a !!!\n}', 'ARGUMENT_VALUE', 4, /secret of a\. is not base64/],
  [`tsig {\nsecret a ${SECRET}\nsecret A. ${SECRET}\n}`, 'OPTION_CONFLICT', 5, /a\. is given twice/],
  ['tsig {\nsecrets nosuch\n}', 'FILE', 4, /nosuch/],
  ['tsig {\nsecrets bad\n}', 'FILE', 4, /bad:2: expected "algorithm" or "secret", not "secrets"/],
  ['tsig {\nrequire\n}', 'ARGUMENT_COUNT', 4, /at least 1/],
  ['tsig {\nrequire NOPE\n}', 'ARGUMENT_VALUE', 4, /query type/],
  ['tsig {\nrequire_opcode NOPE\n}', 'ARGUMENT_VALUE', 4, /opcode/],
  ['tsig {\nkey a\n}', 'OPTION_UNKNOWN', 4, /unknown option "key"/],
];
for (const [body, code, line, message] of REFUSED) {
  test(`tsig: refused with a line and without the secret: ${JSON.stringify(body)}`, (t) => {
    const error = t.throws(() => new BlockRig(`root ${folder}\n${body}`), { instanceOf: ConfigError, message });
    t.is(error.code, code);
    t.is(error.line, line);
    t.false(error.message.includes('!!!'));
  });
}

const FILES: readonly (readonly [what: string, text: string, names: readonly string[]])[] = [
  ['as tsig-keygen writes it', 'key "a" {\n\talgorithm hmac-sha256;\n\tsecret "AA==";\n};\n', ['a AA==']],
  ['one line, no quotes', 'key a { secret AA==; }; key b { secret BB==; };', ['a AA==', 'b BB==']],
  ['comments', '# one\nkey "a" { // two\n secret "AA=="; # three\n};', ['a AA==']],
  ['brace on its own line, no last semicolon', 'key "a"\n{\nsecret "AA=="\n;\n}', ['a AA==']],
  ['slashes in a secret', 'key a { secret "A//A"; };', ['a A//A']],
  ['nothing', '\n\n', []],
];
for (const [what, text, names] of FILES) {
  test(`tsig key file: ${what}`, (t) => {
    t.deepEqual(
      parseKeyFile(text).map(({ name, secret }) => `${name} ${secret}`),
      names,
    );
  });
}

const BAD_FILES: readonly (readonly [text: string, line: number])[] = [
  ['zone "a" {};', 1],
  ['key', 1],
  ['key "a"\nsecret x;', 2],
  ['\nkey "a" {\n};', 2],
  ['key "a" {\nsecret', 2],
  ['key "a" {\nsecret x;', 2],
];
for (const [text, line] of BAD_FILES) {
  test(`tsig key file: refused in line ${line}: ${JSON.stringify(text)}`, (t) => {
    t.is(t.throws(() => parseKeyFile(text), { instanceOf: KeyFileError }).line, line);
  });
}
