// Fixed answers that come late, cut or never, to test clients with. Worker.
import type { Answer } from '../../chain/answer.ts';
import { Outcome } from '../../chain/outcome.ts';
import type { Env, Handler } from '../../chain/plugin.ts';
import type { Query } from '../../chain/query.ts';
import { RCODE, RRTYPE } from '../../wire/types.ts';
import type { ErraticOptions } from './setup.ts';

/** Documentation addresses (RFC 5737, RFC 3849). */
const IPV4 = Uint8Array.of(192, 0, 2, 53);
const IPV6 = Uint8Array.of(0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x53);
const LARGE_COUNT = 30;

export function createErraticHandler(options: ErraticOptions, { clock, cells }: Env): Handler {
  let queries = 0;

  return function erratic(query, answer) {
    const number = queries++;
    cells[options.queries]!++;
    if (isHit(options.drop, number)) return Outcome.DROPPED;
    if (!isHit(options.delay, number)) return fill(options, query, answer, number);
    return new Promise((resolve) => {
      clock.after(options.delayMs, () => resolve(fill(options, query, answer, number)));
    });
  };
}

function isHit(every: number, number: number): boolean {
  return every > 0 && number % every === 0;
}

function fill(options: ErraticOptions, query: Query, answer: Answer, number: number): Outcome {
  answer.authoritative = true;
  answer.truncated = isHit(options.truncate, number);
  if (query.qtype === RRTYPE.A) {
    for (let left = options.large ? LARGE_COUNT : 1; left > 0; left--) answer.addAddresses(0, 4, IPV4, 0, 1);
    return Outcome.ANSWERED;
  }
  if (query.qtype === RRTYPE.AAAA) {
    answer.addAddresses(0, 16, IPV6, 0, 1);
    return Outcome.ANSWERED;
  }
  answer.fail(RCODE.SERVFAIL);
  return Outcome.FAILED;
}
