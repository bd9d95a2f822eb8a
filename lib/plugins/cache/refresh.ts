// lib/plugins/cache/refresh.ts — worker. Queries of the server's own that ask the rest of the chain again: one at a time for a question.
import { Answer } from '../../chain/answer.ts';
import { Query, TRANSPORT } from '../../chain/query.ts';

const MAX_MESSAGE = 65_535;
/** Refreshes of one worker under way; more are not started. */
const MAX_REFRESHES = 256;
/** Clients that wait for one refresh; others get what there is. */
const MAX_WAITING = 1000;

/** Called once with the new answer, or undefined when there is none that is better than the old one. */
export type RefreshDone = (fresh: Answer | undefined) => void;

export type Refresh = { readonly key: string; readonly startMs: number; readonly waiting: RefreshDone[] };

/** The refreshes of one worker that are under way, by question. */
export class RefreshTable {
  readonly #byKey = new Map<string, Refresh>();

  find(query: Query): Refresh | undefined {
    return this.#byKey.size === 0 ? undefined : this.#byKey.get(keyOf(query));
  }

  /** Registers a refresh of the question, to be ended with `end`; undefined when too many are under way. */
  begin(query: Query, nowMs: number): Refresh | undefined {
    if (this.#byKey.size >= MAX_REFRESHES) return undefined;
    const refresh = { key: keyOf(query), startMs: nowMs, waiting: [] };
    this.#byKey.set(refresh.key, refresh);
    return refresh;
  }

  /** Tells all who wait. */
  end(refresh: Refresh, fresh: Answer | undefined): void {
    this.#byKey.delete(refresh.key);
    for (const done of refresh.waiting) done(fresh);
  }
}

/** Has `done` told at the end of a refresh; false when too many wait for it already. */
export function waitFor(refresh: Refresh, done: RefreshDone): boolean {
  if (refresh.waiting.length >= MAX_WAITING) return false;
  refresh.waiting.push(done);
  return true;
}

/** All that alters an answer. */
function keyOf({
  name,
  nameLength,
  qtype,
  qclass,
  dnssecOk,
  checkingDisabled,
  renamed,
  rawName,
  questionEnd,
}: Query): string {
  const flags = (dnssecOk ? 1 : 0) | (checkingDisabled ? 2 : 0);
  const spelled = renamed ? latin1(rawName, questionEnd - 16).toLowerCase() : '';
  return `${qtype} ${qclass} ${flags} ${latin1(name, nameLength)}${spelled}`;
}

function latin1(bytes: Uint8Array, length: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, length).toString('latin1');
}

/** A query like `query` that does not end with it: same question, client and options; no reply goes to anyone. */
export function copyForRefresh(query: Query): Query {
  const copy = new Query();
  const { packet, packetAt, packetLength } = query;
  copy.parse(packet.slice(packetAt, packetAt + packetLength), 0, packetLength);
  if (query.renamed) copy.setName(query.name);
  copy.qtype = query.qtype;
  copy.qclass = query.qclass;
  copy.dnssecOk = query.dnssecOk;
  copy.udpSize = query.udpSize;
  // What comes back is checked for clients that want to know (RFC 6840 section 5.7); each gets AD only if it asked.
  copy.authenticData = true;
  copy.copyOrigin(query);
  copy.transport = TRANSPORT.INTERNAL;
  copy.deadlineMs = 0;
  copy.sizeLimit = MAX_MESSAGE;
  return copy;
}

/** An answer of its own for `query`. */
export function answerFor(query: Query): Answer {
  const answer = new Answer();
  answer.begin(query);
  return answer;
}
