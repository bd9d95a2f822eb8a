// Sets and clears header flags of queries and answers. Worker.
import type { Answer } from '../../chain/answer.ts';
import { Outcome, whenAnswered } from '../../chain/outcome.ts';
import type { Env, Handler } from '../../chain/plugin.ts';
import type { Query } from '../../chain/query.ts';
import type { FlagChanges, HeaderOptions } from './setup.ts';

/** Masks in bytes 2 and 3 of the header (RFC 1035 section 4.1.1). */
const MASK = { aa: 0x04, rd: 0x01, ra: 0x80 } as const;

export function createHeaderHandler(options: HeaderOptions, { next }: Env): Handler {
  const { response } = options;

  function change(query: Query, answer: Answer, outcome: Outcome): Outcome {
    if (outcome !== Outcome.ANSWERED) return outcome;
    if (response.aa !== undefined) answer.authoritative = response.aa;
    if (response.ra !== undefined) answer.recursionAvailable = response.ra;
    // A reply repeats the query's RD.
    if (response.rd !== undefined) query.recursionDesired = response.rd;
    return outcome;
  }

  return function header(query, answer) {
    changeQuery(query, options.query);
    const result = next(query, answer);
    if (typeof result === 'object') return whenAnswered(result, query, answer, change);
    return change(query, answer, result);
  };
}

/** In the message too: it is what `forward` sends on. */
function changeQuery(query: Query, { aa, ra, rd }: FlagChanges): void {
  if (aa === undefined && ra === undefined && rd === undefined) return;
  const { packet, packetAt } = query;
  if (aa !== undefined) packet[packetAt + 2] = apply(packet[packetAt + 2]!, MASK.aa, aa);
  if (rd !== undefined) {
    packet[packetAt + 2] = apply(packet[packetAt + 2]!, MASK.rd, rd);
    query.recursionDesired = rd;
  }
  if (ra !== undefined) packet[packetAt + 3] = apply(packet[packetAt + 3]!, MASK.ra, ra);
  query.flags = (packet[packetAt + 2]! << 8) | packet[packetAt + 3]!;
}

function apply(byte: number, mask: number, on: boolean): number {
  return on ? byte | mask : byte & ~mask;
}
