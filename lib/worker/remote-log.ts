// A worker's log: every line goes to the control thread, which has the one logger of the process. Worker.
import type { Logger, LogLevel } from '../base/log.ts';

/** @param send passes a finished line on; `debug` lines are sent only when asked for */
export function createRemoteLog(
  send: (level: LogLevel, text: string) => void,
  debug: () => boolean,
  prefix = '',
): Logger {
  return {
    debug: (text) => {
      if (debug()) send('debug', prefix + text);
    },
    info: (text) => send('info', prefix + text),
    warning: (text) => send('warning', prefix + text),
    error: (text) => send('error', prefix + text),
    fatal: (text) => send('fatal', prefix + text),
    forPlugin: (name) => createRemoteLog(send, debug, `plugin/${name}: `),
  };
}
