// Every Corefile of test/conformance/corefiles-bad is accepted or refused by the grammar as CoreDNS 1.14.7 does, with the
// same line. What a plugin has to say about its options is judged elsewhere, on the running program.
import fs from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { ConfigError } from '../../../lib/base/errors.ts';
import { parseTestCorefile } from './parse-test-corefile.ts';

type Verdict = {
  readonly file: string;
  readonly what: string;
  readonly files?: Readonly<Record<string, string | null>>;
  readonly env?: Record<string, string>;
  readonly coredns: 'accepts' | 'refuses' | 'hangs';
  readonly reason?: string;
  readonly error?: string;
  readonly line?: number;
  /** The file at fault when it is not the Corefile. */
  readonly in?: string;
  readonly serves?: readonly string[];
};

const FOLDER = path.join(import.meta.dirname, '../../conformance/corefiles-bad');
const VERDICTS = JSON.parse(fs.readFileSync(path.join(FOLDER, 'index.json'), 'utf8')) as readonly Verdict[];

/** Refusals that the grammar alone must produce; the others come from a setup or a socket. */
function isGrammar({ reason, error = '' }: Verdict): boolean {
  if (reason === 'syntax' || reason === 'plugin-unknown') return true;
  if (error.startsWith('plugin/')) return false;
  return reason === 'missing-file' || reason === 'arguments' || error.startsWith('error inspecting server blocks');
}

function judge(verdict: Verdict): { refusal?: ConfigError; serves: string[] } {
  const text = fs.readFileSync(path.join(FOLDER, verdict.file), 'utf8');
  try {
    const { blocks } = parseTestCorefile(text, { files: verdict.files ?? {}, environment: verdict.env ?? {} });
    const names = blocks.flatMap(({ keys }) =>
      keys.map(({ scheme, zone, port }) => `${scheme === 'dns' ? '' : `${scheme}://`}${zone}:${port}`),
    );
    return { serves: [...new Set(names)].sort() };
  } catch (error) {
    if (error instanceof ConfigError) return { refusal: error, serves: [] };
    throw error;
  }
}

for (const verdict of VERDICTS) {
  const { file, what, coredns, reason, line } = verdict;
  if (coredns === 'accepts') {
    test(`${file} (${what}): accepted`, (t) => {
      const { refusal, serves } = judge(verdict);
      t.is(refusal?.format(), undefined);
      const isComplete = !verdict.serves!.some((name) => name.startsWith('…') || name.includes(' on '));
      if (isComplete) t.deepEqual(serves, [...verdict.serves!].sort());
    });
  } else if (coredns === 'refuses' && isGrammar(verdict)) {
    test(`${file} (${what}): refused, ${reason}, line ${line ?? 'not given'}`, (t) => {
      const { refusal } = judge(verdict);
      t.not(refusal, undefined);
      if (line !== undefined) t.is(refusal!.line, line);
      t.is(path.basename(refusal!.file), verdict.in ?? 'Corefile');
    });
  } else if (coredns === 'refuses') {
    test(`${file} (${what}): left to ${reason === 'listen' ? 'the listener' : 'a setup'}`, (t) => {
      const { refusal } = judge(verdict);
      // A port that no socket can have is refused with the key already.
      t.true(refusal === undefined || refusal.code === 'KEY', refusal?.format());
    });
  } else {
    test(`${file} (${what}): refused instead of hanging`, (t) => {
      t.is(judge(verdict).refusal?.line, 2);
    });
  }
}
