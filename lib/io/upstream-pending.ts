// A query that is out at an upstream, and which replies may answer it. Worker.
import type { CaseMixing, ReplyWaiter } from '../chain/plugin.ts';
import { LOWER, MAX_NAME_LENGTH, skipName } from '../wire/name.ts';
import { UpstreamError } from './upstream-error.ts';
import { WheelEntry } from './timer-wheel.ts';

const HEADER_LENGTH = 12;
const MAX_QUESTION = MAX_NAME_LENGTH + 4;
const NO_BYTES = new Uint8Array(0);

/** The waiter of a query that is not out. */
const NOBODY: ReplyWaiter = { replied: ignore, failed: ignore };

export class PendingQuery extends WheelEntry {
  id = 0;
  /** Bytes of the question in `message`, type and class included. */
  questionLength = 0;
  /** Set while the question is out in letters of random case. */
  mixing: CaseMixing | undefined;
  /** As it was sent but for its ID. */
  message: Uint8Array = NO_BYTES;
  /** The message before its letters were mixed; only with `mixing`. */
  plain: Uint8Array = NO_BYTES;
  waiter: ReplyWaiter = NOBODY;
  /** Whether it has left a port because of wrong datagrams. */
  hasMoved = false;
  /** Called when the timeout has passed; whoever sent the query sets it. */
  onExpire: (pending: PendingQuery) => void = ignore;

  expire(): void {
    this.onExpire(this);
  }

  /** Takes the message that is sent. Returns false when it has no question. */
  setMessage(message: Uint8Array): boolean {
    if (message.length < HEADER_LENGTH || ((message[4]! << 8) | message[5]!) !== 1) return false;
    const end = skipName(message, 0, HEADER_LENGTH, message.length);
    if (end === -1 || end + 4 > message.length || end + 4 - HEADER_LENGTH > MAX_QUESTION) return false;
    this.questionLength = end + 4 - HEADER_LENGTH;
    this.message = message;
    return true;
  }

  /** Lets go of all that the query had, so that it can be used for another one. */
  forget(): void {
    this.waiter = NOBODY;
    this.message = NO_BYTES;
    this.plain = NO_BYTES;
    this.mixing = undefined;
    this.hasMoved = false;
    this.onExpire = ignore;
  }

  /**
   * Whether a message is a reply to this query: the response bit, and the same question with letters compared without
   * case. A server that fails before it reads the question may send the header alone (seen with FORMERR and NOTIMP).
   */
  isAnsweredBy(reply: Uint8Array, length: number): boolean {
    if (length < HEADER_LENGTH || (reply[2]! & 0x80) === 0) return false;
    if (length === HEADER_LENGTH) {
      for (let i = 4; i < HEADER_LENGTH; i++) if (reply[i] !== 0) return false;
      return (reply[3]! & 15) !== 0;
    }
    if (reply[4] !== 0 || reply[5] !== 1 || length < HEADER_LENGTH + this.questionLength) return false;
    const { message } = this;
    const end = HEADER_LENGTH + this.questionLength;
    for (let i = HEADER_LENGTH; i < end - 4; i++) if (LOWER[message[i]!] !== LOWER[reply[i]!]) return false;
    for (let i = end - 4; i < end; i++) if (message[i] !== reply[i]) return false;
    return true;
  }

  /**
   * Whether the question of a reply to this query has the letters as they were mixed; they are put back then to what they were.
   * A reply without a question has none to compare.
   */
  unmix(reply: Uint8Array, length: number): boolean {
    if (length === HEADER_LENGTH) return true;
    const { message, plain } = this;
    const end = HEADER_LENGTH + this.questionLength;
    for (let i = HEADER_LENGTH; i < end; i++) if (message[i] !== reply[i]) return false;
    for (let i = HEADER_LENGTH; i < end; i++) reply[i] = plain[i]!;
    return true;
  }
}

function ignore(): void {
  // While the query is not out there is nobody to tell.
}

/** Rejected at once: a caller's mistake, never a network's. */
export function noQuestionError(): UpstreamError {
  return new UpstreamError('network', 'the message has no question');
}
