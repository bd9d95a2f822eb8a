// Why a list or watch ended: what the reflector decides by. Control thread.
import { LineTooLongError } from './json-lines.ts';
import { ListFormatError } from './json-list.ts';

/**
 * - `closed`: the server ended the watch in good order
 * - `idle`: nothing was heard for too long
 * - `network`: no connection, no answer, or cut in the middle
 * - `expired`: 410, the version asked for is compacted
 * - `too-new`: the server has not reached the version asked for (a lagging replica, or the cluster went back in time)
 * - `unsupported`: this kind of list is refused, another may work
 * - `unauthorized`, `forbidden`: 401, 403
 * - `server`: any other status or ERROR event
 * - `garbled`: a line or list that cannot be read
 * - `older`: a complete list that is older than what is known
 */
export type FaultKind =
  | 'closed'
  | 'idle'
  | 'network'
  | 'expired'
  | 'too-new'
  | 'unsupported'
  | 'unauthorized'
  | 'forbidden'
  | 'server'
  | 'garbled'
  | 'older';

export class Fault extends Error {
  readonly kind: FaultKind;
  /** The server's `Retry-After`; 0 when it did not say. */
  readonly retryAfterMs: number;

  constructor(kind: FaultKind, message: string, retryAfterMs = 0) {
    super(message);
    this.name = 'Fault';
    this.kind = kind;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Whatever was thrown, as a fault: text that cannot be read is garbled, anything unknown is the network's. */
export function toFault(error: unknown): Fault {
  if (error instanceof Fault) return error;
  if (error instanceof SyntaxError || error instanceof LineTooLongError || error instanceof ListFormatError)
    return new Fault('garbled', error.message);
  const { message, code } = error as { message?: string; code?: string };
  return new Fault('network', message || code || String(error));
}

/**
 * The fault that a Status object tells: of an answer that is not 200, or of an ERROR event.
 *
 * @param status the HTTP status, or the Status's own `code` for an event
 * @param body the decoded Status, or anything
 */
export function faultOfStatus(status: number, body: unknown, retryAfterMs = 0): Fault {
  const { message, reason, details } = (body ?? {}) as { message?: unknown; reason?: unknown; details?: unknown };
  const text = `${status} ${typeof message === 'string' ? message.slice(0, 300) : ''}`.trimEnd();
  if (isTooNew(message, details)) return new Fault('too-new', text, retryAfterMs);
  if (status === 410 || reason === 'Expired' || reason === 'Gone') return new Fault('expired', text, retryAfterMs);
  if (status === 401) return new Fault('unauthorized', text);
  if (status === 403) return new Fault('forbidden', text, retryAfterMs);
  if (status === 400 || status === 422) return new Fault('unsupported', text);
  return new Fault('server', text, retryAfterMs);
}

/** The API server's way to say "not yet": a cause ResourceVersionTooLarge, from old servers only the text. */
function isTooNew(message: unknown, details: unknown): boolean {
  const causes = (details as { causes?: unknown } | undefined)?.causes;
  if (Array.isArray(causes) && causes.some((cause) => cause?.reason === 'ResourceVersionTooLarge')) return true;
  return typeof message === 'string' && message.includes('Too large resource version');
}
