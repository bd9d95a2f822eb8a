// A query that is out at an upstream, and which replies may answer it. Worker.
import type { CaseMixing, UpstreamReply } from '../chain/plugin.ts';
import { LOWER, MAX_NAME_LENGTH, skipName } from '../wire/name.ts';
import { UpstreamError } from './upstream-error.ts';
import { WheelEntry } from './timer-wheel.ts';

const HEADER_LENGTH = 12;
const MAX_QUESTION = MAX_NAME_LENGTH + 4;
const NO_BYTES = new Uint8Array(0);

export class PendingQuery extends WheelEntry {
  id = 0;
  /** The question as sent, type and class included. */
  readonly question: Uint8Array = new Uint8Array(MAX_QUESTION);
  questionLength = 0;
  /** Set while the question is out in letters of random case. */
  mixing: CaseMixing | undefined;
  /** As it was sent but for its ID, in case it has to be sent again. */
  message: Uint8Array = NO_BYTES;
  /** The message before its letters were mixed; only with `mixing`. */
  plain: Uint8Array = NO_BYTES;
  resolve: (reply: UpstreamReply) => void = ignore;
  reject: (error: Error) => void = ignore;
  /** Called when the timeout has passed; whoever sent the query sets it. */
  onExpire: (pending: PendingQuery) => void = ignore;

  expire(): void {
    this.onExpire(this);
  }

  /** Copies the question of a message. Returns false when there is none. */
  setQuestion(message: Uint8Array): boolean {
    if (message.length < HEADER_LENGTH || ((message[4]! << 8) | message[5]!) !== 1) return false;
    const end = skipName(message, 0, HEADER_LENGTH, message.length);
    if (end === -1 || end + 4 > message.length || end + 4 - HEADER_LENGTH > MAX_QUESTION) return false;
    this.questionLength = end + 4 - HEADER_LENGTH;
    for (let i = 0; i < this.questionLength; i++) this.question[i] = message[HEADER_LENGTH + i]!;
    return true;
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
    const { question } = this;
    const fixed = this.questionLength - 4;
    for (let i = 0; i < fixed; i++) if (LOWER[question[i]!] !== LOWER[reply[HEADER_LENGTH + i]!]) return false;
    for (let i = fixed; i < fixed + 4; i++) if (question[i] !== reply[HEADER_LENGTH + i]) return false;
    return true;
  }

  /**
   * Whether the question of a reply to this query has the letters as they were mixed; they are put back then to what they were.
   * A reply without a question has none to compare.
   */
  unmix(reply: Uint8Array, length: number): boolean {
    if (length === HEADER_LENGTH) return true;
    const { question, plain, questionLength } = this;
    for (let i = 0; i < questionLength; i++) if (question[i] !== reply[HEADER_LENGTH + i]) return false;
    for (let at = HEADER_LENGTH; at < HEADER_LENGTH + questionLength; at++) reply[at] = plain[at]!;
    return true;
  }
}

function ignore(): void {
  // Until the query is sent there is nobody to tell.
}

/** Rejected at once: a caller's mistake, never a network's. */
export function noQuestionError(): UpstreamError {
  return new UpstreamError('network', 'the message has no question');
}
