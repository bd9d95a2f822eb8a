// Entry of the process: command line, start, signals. Control thread.
import { systemClock } from '../base/clock.ts';
import { createLogger, type Logger, writeFully, writeStdout } from '../base/log.ts';
import { startSource } from '../sources/start-source.ts';
import { checkCorefile } from './check.ts';
import { type CorefileText, directiveNames, parse } from './configure.ts';
import { createCorefileLoader, type LoadCorefile } from './corefile-loader.ts';
import { countWorkers } from './cores.ts';
import { createFaultGuard } from './fault-guard.ts';
import { type Flags, parseFlags } from './flags.ts';
import { removePidFile, writePidFile } from './pid-file.ts';
import { Reloader } from './reload.ts';
import { HeapTrimmer } from './heap-trimmer.ts';
import { describeError, Server } from './server.ts';
import { createSignalHandlers, EXIT } from './signals.ts';
import { versionLines } from './version.ts';
import { spawnWorker } from './worker-thread.ts';

const UDP_MODES = ['auto', 'mmsg', 'dgram'] as const;

await run();

async function run(): Promise<void> {
  const flags = parseFlags(process.argv.slice(2));
  if ('text' in flags) {
    writeFully(flags.stream === 'stdout' ? 1 : 2, flags.text);
    process.exit(flags.exitCode);
  }
  switch (flags.task) {
    case 'version':
      printLines(versionLines());
      break;
    case 'plugins':
      printLines([...directiveNames().built].sort());
      break;
    case 'check':
      await check(flags);
      break;
    case 'serve':
      await serve(flags);
  }
}

function printLines(lines: readonly string[]): void {
  writeStdout(lines.map((line) => `${line}\n`).join(''));
}

async function check(flags: Flags): Promise<void> {
  const log = createLogger({ sink: (line) => writeFully(2, line) });
  let source: CorefileText;
  try {
    source = createCorefileLoader(flags.conf)();
  } catch (error) {
    fail(error);
  }
  const problems = await checkCorefile(source, flags.port, log);
  printLines(problems.map((problem) => problem.format()));
  process.exit(problems.length === 0 ? EXIT.OK : EXIT.FAILED);
}

async function serve(flags: Flags): Promise<void> {
  const { log, load, initial } = readStart(flags);
  const { pidFile } = flags;
  const exit = (code: number): never => {
    if (pidFile !== undefined) removePidFile(pidFile);
    process.exit(code);
  };
  const udp = UDP_MODES.find((mode) => mode === process.env.CLUSTERDNS_UDP) ?? 'auto';
  const server = new Server({
    clock: systemClock,
    log,
    startSource,
    spawn: (worker, memory) => spawnWorker({ worker, ...memory, udp }),
    countWorkers: (sockets) => countWorkers(sockets, process.env),
    onFatal: (message) => {
      log.fatal(message);
      exit(EXIT.FAILED);
    },
  });
  const guard = createFaultGuard({
    log,
    isServing: () => server.isServing,
    count: () => server.countFault(),
    end: () => exit(EXIT.FAILED),
  });
  process.on('uncaughtException', guard);
  const reloader = new Reloader(initial.hash, {
    server,
    load: () => parse(load(), flags.port),
    clock: systemClock,
    log,
    random: Math.random,
  });
  const stop = async (): Promise<void> => {
    reloader.stop();
    await server.stop();
  };
  const handlers = createSignalHandlers({
    log,
    clock: systemClock,
    stop,
    reload: () => void reloader.reloadNow(),
    exit,
  });
  for (const [signal, handle] of Object.entries(handlers)) process.on(signal, handle);
  try {
    const lines = await server.start(initial);
    if (!flags.quiet) printLines(lines);
  } catch (error) {
    fail(error);
  }
  reloader.watch();
  const trimmer = new HeapTrimmer(systemClock);
  void trimmer.trim();
  trimmer.start();
  if (!flags.quiet) printLines(versionLines());
  if (pidFile !== undefined) tryWritePidFile(pidFile, log);
}

function readStart(flags: Flags): {
  readonly log: Logger;
  readonly load: LoadCorefile;
  readonly initial: ReturnType<typeof parse>;
} {
  const load = createCorefileLoader(flags.conf);
  try {
    const initial = parse(load(), flags.port);
    const debug = initial.blocks.some(({ directives }) => directives.some(({ owner }) => owner === 'debug'));
    return { log: createLogger({ debug, json: process.env.CLUSTERDNS_LOG === 'json' }), load, initial };
  } catch (error) {
    return fail(error);
  }
}

function tryWritePidFile(file: string, log: Logger): void {
  try {
    writePidFile(file);
  } catch (error) {
    log.error(`Could not write pidfile: ${(error as Error).message}`);
  }
}

/** One line on standard error, exit code 1. */
function fail(error: unknown): never {
  writeFully(2, `${describeError(error)}\n`);
  process.exit(EXIT.FAILED);
}
