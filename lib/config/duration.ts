// Durations as the Corefile writes them (Go's form): `300ms`, `1h30m`, `1.5h`. Control thread.

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};
const PART = /(\d*)(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h)/y;
/** Go keeps nanoseconds in 64 bits; the same bound here, in milliseconds (about 292 years). */
const MAX_MS = 2 ** 63 / 1e6;

/**
 * Reads a duration: an optional sign, then numbers each with a unit (`ns us ms s m h`); `0` needs none.
 *
 * @returns milliseconds, with fractions below one; undefined when the text is not a duration, for instance a bare number
 */
export function parseDuration(text: string): number | undefined {
  const negative = text.startsWith('-');
  const body = negative || text.startsWith('+') ? text.slice(1) : text;
  if (body === '0') return 0;
  if (body === '') return undefined;
  let sumMs = 0;
  PART.lastIndex = 0;
  while (PART.lastIndex < body.length) {
    const part = PART.exec(body);
    if (part === null) return undefined;
    const [, whole = '', fraction = '', unit = ''] = part;
    if (whole === '' && fraction === '') return undefined;
    sumMs += Number(`${whole || '0'}.${fraction || '0'}`) * UNIT_MS[unit]!;
    if (sumMs >= MAX_MS) return undefined;
  }
  return negative ? -sumMs : sumMs;
}

/** Writes a duration as Go prints it: `1.5s`, `1h0m0s`, `250ms`, `0s`. */
export function formatDuration(durationMs: number): string {
  if (durationMs === 0) return '0s';
  if (durationMs < 0) return `-${formatDuration(-durationMs)}`;
  if (durationMs < 1000) {
    if (durationMs < 1e-3) return `${trimNumber(durationMs * 1e6, 0)}ns`;
    return durationMs < 1 ? `${trimNumber(durationMs * 1e3, 3)}µs` : `${trimNumber(durationMs, 6)}ms`;
  }
  const totalMinutes = Math.floor(durationMs / 60_000);
  const seconds = `${trimNumber((durationMs - totalMinutes * 60_000) / 1000, 9)}s`;
  if (totalMinutes === 0) return seconds;
  const hours = Math.floor(totalMinutes / 60);
  return hours === 0 ? `${totalMinutes}m${seconds}` : `${hours}h${totalMinutes % 60}m${seconds}`;
}

function trimNumber(value: number, digits: number): string {
  const text = value.toFixed(digits);
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}
