// Turns unsigned and wrongly signed queries away, and has the replies to signed ones signed. Worker.
import { Outcome } from '../../chain/outcome.ts';
import type { Env, Handler } from '../../chain/plugin.ts';
import type { Query } from '../../chain/query.ts';
import { removeTsig } from '../../chain/tsig.ts';
import { ZoneTable } from '../../chain/zone-table.ts';
import { RCODE } from '../../wire/types.ts';
import type { TsigOptions } from './setup.ts';

export function createTsigHandler(options: TsigOptions, { next }: Env): Handler {
  const zones = new ZoneTable(options.zones);
  const isTypeRequired = createTest(options.types);
  const isOpcodeRequired = createTest(options.opcodes);
  const isRequired = ({ qtype, opcode }: Query): boolean => isTypeRequired(qtype) || isOpcodeRequired(opcode);

  return function tsig(query, answer) {
    const { tsig: transaction } = query;
    if (transaction === undefined) {
      // What this server asks itself comes from a query that has been through here.
      if (query.depth > 0 || !isRequired(query) || zones.match(query) === -1) return next(query, answer);
      answer.rcode = RCODE.REFUSED;
      return Outcome.ANSWERED;
    }
    if (zones.match(query) === -1) return next(query, answer);
    removeTsig(query);
    transaction.signs = true;
    query.sizeLimit -= transaction.sizeBytes;
    if (transaction.error === RCODE.NOERROR) return next(query, answer);
    // RFC 8945 section 5.2: what is wrong stands in the TSIG record of the reply.
    answer.rcode = transaction.error === RCODE.FORMERR ? RCODE.FORMERR : RCODE.NOTAUTH;
    return Outcome.ANSWERED;
  };
}

function createTest(values: readonly number[] | 'all'): (value: number) => boolean {
  if (values === 'all') return () => true;
  const set = new Set(values);
  return (value) => set.has(value);
}
