// Answers localhost names and the reverse names of 127/8, 0/8 and 255/8, so that they never leave (RFC 6761, RFC 6303). Worker.
import type { Answer } from '../../chain/answer.ts';
import { Outcome } from '../../chain/outcome.ts';
import type { Env, Handler } from '../../chain/plugin.ts';
import type { Query } from '../../chain/query.ts';
import { ZoneTable } from '../../chain/zone-table.ts';
import { parseName } from '../../wire/name.ts';
import { SECTION, type Section } from '../../wire/record-index.ts';
import { RCODE, RRTYPE } from '../../wire/types.ts';
import type { LocalOptions } from './setup.ts';

const TTL_SECONDS = 604_800;
const QUESTION_NAME_AT = 12;
const LOCALHOST = parseName('localhost.')!;
const ROOT_LOCALHOST = parseName('root.localhost.')!;
const IPV4_LOOPBACK = Uint8Array.of(127, 0, 0, 1);
const IPV6_LOOPBACK = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
const ZONES = ['localhost.', '0.in-addr.arpa.', '127.in-addr.arpa.', '255.in-addr.arpa.'];
const ZONE_LABELS = [1, 3, 3, 3] as const;
const LOCALHOST_ZONE = 0;
/** Length byte and letters, without the root label. */
const LOCALHOST_LABEL_LENGTH = LOCALHOST.length - 1;

export function createLocalHandler(options: LocalOptions, { next, cells }: Env): Handler {
  const zones = new ZoneTable(ZONES);
  const loopbackPointer = new ZoneTable(['1.0.0.127.in-addr.arpa.']);

  return function local(query, answer) {
    const hasPrefix = options.localhostPrefix && query.labelCount > 1 && startsWithLocalhost(query);
    const zone = zones.match(query);
    if (hasPrefix || (zone === LOCALHOST_ZONE && query.labelCount > 1)) {
      cells[options.localhostCell]!++;
      if (!addLoopback(query, answer)) addSoa(answer, SECTION.AUTHORITY, QUESTION_NAME_AT);
      return Outcome.ANSWERED;
    }
    if (zone === -1) return next(query, answer);
    const labels = ZONE_LABELS[zone]!;
    if (query.labelCount === labels) answerApex(query, answer, zone);
    else if (loopbackPointer.match(query) !== -1 && query.labelCount === 6) answerPointer(query, answer);
    else {
      addSoa(answer, SECTION.AUTHORITY, QUESTION_NAME_AT + query.labelAt[query.labelCount - labels]!);
      answer.rcode = RCODE.NXDOMAIN;
    }
    return Outcome.ANSWERED;
  };
}

function startsWithLocalhost({ name }: Query): boolean {
  for (let i = 0; i < LOCALHOST_LABEL_LENGTH; i++) if (name[i] !== LOCALHOST[i]) return false;
  return true;
}

/** The loopback address for A and AAAA; false for other types. */
function addLoopback(query: Query, answer: Answer): boolean {
  if (query.qtype === RRTYPE.A) answer.addAddresses(TTL_SECONDS, 4, IPV4_LOOPBACK, 0, 1);
  else if (query.qtype === RRTYPE.AAAA) answer.addAddresses(TTL_SECONDS, 16, IPV6_LOOPBACK, 0, 1);
  else return false;
  return true;
}

function answerApex(query: Query, answer: Answer, zone: number): void {
  if (zone === LOCALHOST_ZONE && addLoopback(query, answer)) return;
  if (query.qtype === RRTYPE.SOA) addSoa(answer, SECTION.ANSWER, QUESTION_NAME_AT);
  else if (query.qtype === RRTYPE.NS) addName(answer, RRTYPE.NS);
  else addSoa(answer, SECTION.AUTHORITY, QUESTION_NAME_AT);
}

function answerPointer(query: Query, answer: Answer): void {
  if (query.qtype === RRTYPE.PTR) addName(answer, RRTYPE.PTR);
  // The zone is 127.in-addr.arpa, three labels up.
  else addSoa(answer, SECTION.AUTHORITY, QUESTION_NAME_AT + query.labelAt[3]!);
}

/** A record of `type` at the question's name that names localhost. */
function addName(answer: Answer, type: number): void {
  if (!answer.beginRecordAt(SECTION.ANSWER, QUESTION_NAME_AT, type, TTL_SECONDS)) return;
  answer.writeName(LOCALHOST);
  answer.endRecord();
}

/** @param ownerAt where the owner stands in the question */
function addSoa(answer: Answer, section: Section, ownerAt: number): void {
  if (!answer.beginRecordAt(section, ownerAt, RRTYPE.SOA, TTL_SECONDS)) return;
  answer.writeName(LOCALHOST);
  answer.writeName(ROOT_LOCALHOST);
  answer.putLong(1); // serial
  answer.putLong(0); // refresh
  answer.putLong(0); // retry
  answer.putLong(0); // expire
  answer.putLong(TTL_SECONDS); // minimum
  answer.endRecord();
}
