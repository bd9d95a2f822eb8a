// Command line -> options, with the rules of Go's flag package, which CoreDNS users know. Control thread, once.

export type Flags = {
  /** Path of the Corefile, `stdin` for standard input; undefined: `./Corefile` or the built-in default. */
  readonly conf: string | undefined;
  /** Port of `dns` keys without one. */
  readonly port: number;
  readonly pidFile: string | undefined;
  readonly quiet: boolean;
  readonly task: 'serve' | 'check' | 'plugins' | 'version';
};

/** Text to print and the exit code; nothing else is to be done. */
export type FlagsExit = { readonly exitCode: number; readonly text: string; readonly stream: 'stdout' | 'stderr' };

const DEFAULT_PORT = '53';
const TEXT_FLAGS = ['conf', 'dns.port', 'p', 'pidfile'] as const;
const SWITCHES = ['check', 'plugins', 'quiet', 'version'] as const;
const TRUE_WORDS = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);
const FALSE_WORDS = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False']);

export const USAGE = `usage: clusterdns [flags]

A DNS server for Kubernetes clusters, configured by a Corefile as CoreDNS is.

  -conf FILE       Corefile to serve; "stdin" reads it from standard input
                   (default: ./Corefile, else whoami and log on all zones)
  -dns.port PORT   port of server blocks whose key names none (default 53)
  -p PORT          the same
  -pidfile FILE    write the process id there once the server runs
  -quiet           print neither zones nor version at start
  -check           read the Corefile and everything it names without opening a
                   socket, print each problem as FILE:LINE: message, exit 0 or 1
  -plugins         list the directives that a Corefile may use
  -version         print the version
  -help            print this

Flags take one dash or two, and their value after a blank or "=".

Signals: SIGUSR1 reloads the Corefile and keeps the old one when the new one is
not usable. SIGTERM and SIGINT finish what is under way (health's lameduck
time included) and exit 0, SIGQUIT exits at once.
Environment: any name in the Corefile as {$NAME}. CLUSTERDNS_WORKERS sets the
number of worker threads (default: one per usable core), CLUSTERDNS_UDP how
packets are read (auto, mmsg or dgram), CLUSTERDNS_LOG=json logs JSON lines.

Try:  clusterdns -conf Corefile -p 1053
      dig @127.0.0.1 -p 1053 example.org
`;

/**
 * Reads the words after the program's name.
 *
 * @returns what to do, or what to print and exit with: 0 for `-help`, 2 for flags that are wrong, 1 for left-over words
 */
export function parseFlags(argv: readonly string[]): Flags | FlagsExit {
  const texts = new Map<string, string>();
  const switches = new Map<string, boolean>();
  let at = 0;
  for (; at < argv.length; at++) {
    const word = argv[at]!;
    if (word === '--') {
      at++;
      break;
    }
    if (word.length < 2 || !word.startsWith('-')) break;
    const body = word.slice(word.startsWith('--') ? 2 : 1);
    if (body === '' || body.startsWith('-') || body.startsWith('=')) return misuse(`bad flag syntax: ${word}`);
    const equals = body.indexOf('=');
    const name = equals === -1 ? body : body.slice(0, equals);
    const value = equals === -1 ? undefined : body.slice(equals + 1);
    if (isOneOf(SWITCHES, name)) {
      const on = value === undefined || TRUE_WORDS.has(value);
      if (!on && !FALSE_WORDS.has(value)) return misuse(`invalid boolean value "${value}" for -${name}: parse error`);
      switches.set(name, on);
    } else if (isOneOf(TEXT_FLAGS, name)) {
      const text = value ?? argv[++at];
      if (text === undefined) return misuse(`flag needs an argument: -${name}`);
      texts.set(name === 'p' ? 'dns.port' : name, text);
    } else if (name === 'help' || name === 'h') {
      return { exitCode: 0, text: USAGE, stream: 'stdout' };
    } else {
      return misuse(`flag provided but not defined: -${name}`);
    }
  }
  if (at < argv.length) return fatal(`extra command line arguments: [${argv.slice(at).join(' ')}]`);
  return decide(texts, switches);
}

function decide(texts: ReadonlyMap<string, string>, switches: ReadonlyMap<string, boolean>): Flags | FlagsExit {
  const portText = texts.get('dns.port') ?? DEFAULT_PORT;
  const port = Number(portText);
  if (!/^\d+$/.test(portText) || port > 65_535) {
    return fatal(`-dns.port: expected a port from 0 to 65535, not "${portText}"`);
  }
  const on = (name: string): boolean => switches.get(name) === true;
  const task = on('version') ? 'version' : on('plugins') ? 'plugins' : on('check') ? 'check' : 'serve';
  // An empty value counts as not given, as in CoreDNS.
  return {
    conf: texts.get('conf') || undefined,
    port,
    pidFile: texts.get('pidfile') || undefined,
    quiet: on('quiet'),
    task,
  };
}

function isOneOf(names: readonly string[], name: string): boolean {
  return names.includes(name);
}

function misuse(message: string): FlagsExit {
  return { exitCode: 2, text: `${message}\n${USAGE}`, stream: 'stderr' };
}

function fatal(message: string): FlagsExit {
  return { exitCode: 1, text: `${message}\n`, stream: 'stderr' };
}
