// The command line, word for word as CoreDNS takes it.
import test from 'ava';
import { parseFlags, USAGE } from '../../../lib/control/flags.ts';

const DEFAULTS = { conf: undefined, port: 53, pidFile: undefined, quiet: false, task: 'serve' };

const ACCEPTED = [
  // words                          differs from the defaults in
  ['', {}],
  ['-conf Corefile', { conf: 'Corefile' }],
  ['--conf=Corefile', { conf: 'Corefile' }],
  ['-conf=a=b', { conf: 'a=b' }],
  ['-conf stdin', { conf: 'stdin' }],
  ['-conf=', {}],
  ['-dns.port 1053', { port: 1053 }],
  ['--p=1053', { port: 1053 }],
  ['-p 1 -dns.port 2', { port: 2 }],
  ['-pidfile /run/x', { pidFile: '/run/x' }],
  ['-quiet', { quiet: true }],
  ['-quiet=false', {}],
  ['-version', { task: 'version' }],
  ['-plugins -quiet', { task: 'plugins', quiet: true }],
  ['-check -conf f', { task: 'check', conf: 'f' }],
  ['-conf -quiet', { conf: '-quiet' }],
  ['-quiet --', { quiet: true }],
] as const;
for (const [words, expected] of ACCEPTED)
  test(`parseFlags: "${words}" is ${JSON.stringify(expected)}`, (t) => {
    t.deepEqual(parseFlags(words.split(' ').filter((word) => word !== '')), { ...DEFAULTS, ...expected } as never);
  });

const REFUSED = [
  // words              exit  first line
  ['-foo', 2, 'flag provided but not defined: -foo'],
  ['--foo=1', 2, 'flag provided but not defined: -foo'],
  ['-conf', 2, 'flag needs an argument: -conf'],
  ['-version=x', 2, 'invalid boolean value "x" for -version: parse error'],
  ['---x', 2, 'bad flag syntax: ---x'],
  ['-=x', 2, 'bad flag syntax: -=x'],
  ['a b', 1, 'extra command line arguments: [a b]'],
  ['-quiet a', 1, 'extra command line arguments: [a]'],
  ['-', 1, 'extra command line arguments: [-]'],
  ['-p x', 1, '-dns.port: expected a port from 0 to 65535, not "x"'],
  ['-p 65536', 1, '-dns.port: expected a port from 0 to 65535, not "65536"'],
] as const;
for (const [words, exitCode, line] of REFUSED)
  test(`parseFlags: "${words}" exits ${exitCode} and says why on stderr`, (t) => {
    const result = parseFlags(words.split(' '));
    t.true('text' in result);
    if (!('text' in result)) return;
    t.is(result.exitCode, exitCode);
    t.is(result.text.split('\n')[0], line);
    t.is(result.stream, 'stderr');
    t.is(result.text.includes(USAGE), exitCode === 2);
  });

for (const word of ['-h', '--help'])
  test(`parseFlags: ${word} prints the usage and exits 0`, (t) => {
    t.deepEqual(parseFlags([word]), { exitCode: 0, text: USAGE, stream: 'stdout' });
  });
