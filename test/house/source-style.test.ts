// What every file of lib/ keeps to: name, header, no console.
import test from 'ava';
import { readSourceFiles } from './source-files.ts';

const files = readSourceFiles();
const VAGUE_NAMES = /(?:^|\/)(?:utils?|helpers?|common|misc)\.ts$/;
/** What a header may say about who runs the file. */
const RUNS_ON = /\b(?:control|workers?|both kinds of thread|any thread|pure|data)\b/i;

test('house: file and folder names are kebab-case and say what is inside', (t) => {
  const wrong = files.filter(({ path }) => VAGUE_NAMES.test(path) || !/^[a-z0-9/_-]+\.ts$/.test(path));
  t.deepEqual(
    wrong.map(({ path }) => path),
    [],
  );
});

test('house: every file starts with a comment that says its job', (t) => {
  const wrong = files.filter(({ text }) => !/^\/\/ \S.{15,}/.test(text));
  t.deepEqual(
    wrong.map(({ path }) => path),
    [],
  );
});

test('house: every header says which thread runs the file, or that any may', (t) => {
  const wrong = files.filter(({ text }) => !RUNS_ON.test(/^(?:\/\/.*\n)+/.exec(text)?.[0] ?? ''));
  t.deepEqual(
    wrong.map(({ path }) => path).filter((path) => !path.startsWith('wire/')),
    [],
  );
});

test('house: nothing in lib prints with console', (t) => {
  const wrong = files.filter(({ text }) => /\bconsole\.\w/.test(text));
  t.deepEqual(
    wrong.map(({ path }) => path),
    [],
  );
});

test('house: no file is left with a note to do something later', (t) => {
  const wrong = files.filter(({ text }) => /\b(?:TODO|FIXME|XXX)\b/.test(text));
  t.deepEqual(
    wrong.map(({ path }) => path),
    [],
  );
});

test('house: metric names have the prefix and form that Prometheus and CoreDNS use', (t) => {
  const wrong: string[] = [];
  let seen = 0;
  for (const { path, text } of files) {
    for (const [, name] of text.matchAll(/'((?:coredns|clusterdns)_[^']*)'/g)) {
      seen++;
      if (!/^(?:coredns|clusterdns)_[a-z0-9]+(?:_[a-z0-9]+)*$/.test(name!)) wrong.push(`${path}: ${name}`);
    }
    for (const [, name] of text.matchAll(/\.counter\(\s*'([^']+)'/g)) {
      if (!name!.endsWith('_total')) wrong.push(`${path}: counter ${name}`);
    }
    for (const [, name] of text.matchAll(/\.histogram\(\s*'([^']+)'/g)) {
      if (!/_(?:seconds|bytes)$/.test(name!)) wrong.push(`${path}: histogram ${name}`);
    }
  }
  t.deepEqual(wrong, []);
  t.true(seen > 5);
});
