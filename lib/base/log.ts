// Log lines in CoreDNS's form (`[LEVEL] plugin/x: text`, no timestamp), made by pino. Both kinds of thread; low volume only.
import fs from 'node:fs';
import pino from 'pino';

/** The text of a line is complete before it gets here; a level that is off costs one comparison in pino. */
export interface Logger {
  debug(text: string): void;
  info(text: string): void;
  warning(text: string): void;
  error(text: string): void;
  fatal(text: string): void;
  /** A logger whose lines start with `plugin/NAME: `. */
  forPlugin(name: string): Logger;
}

export type LogLevel = 'debug' | 'info' | 'warning' | 'error' | 'fatal';

const LEVEL_NAMES: Readonly<Record<number, string>> = {
  20: 'DEBUG',
  30: 'INFO',
  40: 'WARNING',
  50: 'ERROR',
  60: 'FATAL',
};

/** Where finished lines go: one call a line, newline included. */
export type LineSink = (line: string) => void;

/** Writes to standard output at once; a closed pipe is ignored, a full one is waited for. */
export function writeStdout(line: string): void {
  writeFully(1, line);
}

/** Writes all of `text` to a descriptor, also when it is a non-blocking pipe that is full for a moment. */
export function writeFully(fd: number, text: string): void {
  let bytes = Buffer.from(text, 'utf8');
  for (let attempts = 0; bytes.length > 0 && attempts < 1000; ) {
    try {
      bytes = bytes.subarray(fs.writeSync(fd, bytes));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
      attempts++;
      Atomics.wait(PAUSE, 0, 0, 5);
    }
  }
}
const PAUSE = new Int32Array(new SharedArrayBuffer(4));

export type LogOptions = { readonly debug?: boolean; readonly json?: boolean; readonly sink?: LineSink };

/** Builds the process's logger. `json` keeps pino's own lines (one object a line) instead of CoreDNS's form. */
export function createLogger(options: LogOptions = {}): Logger {
  const sink = options.sink ?? writeStdout;
  const destination = options.json
    ? { write: sink }
    : {
        write(line: string): void {
          const { level, msg } = JSON.parse(line) as { level: number; msg: string };
          sink(`[${LEVEL_NAMES[level] ?? 'INFO'}] ${msg}\n`);
        },
      };
  return wrap(
    pino({ base: null, timestamp: options.json === true, level: options.debug ? 'debug' : 'info' }, destination),
    '',
  );
}

function wrap(log: pino.Logger, prefix: string): Logger {
  return {
    debug: (text) => log.debug(prefix + text),
    info: (text) => log.info(prefix + text),
    warning: (text) => log.warn(prefix + text),
    error: (text) => log.error(prefix + text),
    fatal: (text) => log.fatal(prefix + text),
    forPlugin: (name) => wrap(log, `plugin/${name}: `),
  };
}
