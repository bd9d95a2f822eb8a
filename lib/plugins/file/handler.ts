// Answers from zones that a file keeps in the store. Worker.
import { Outcome } from '../../chain/outcome.ts';
import type { Env, Handler } from '../../chain/plugin.ts';
import { openZoneTransfer } from '../../chain/stored-zone-transfer.ts';
import { ZoneAnswers } from '../../chain/zone-answer.ts';
import { ZoneTable } from '../../chain/zone-table.ts';
import { findSerial, findZone } from '../../store/zone-directory.ts';
import { OPCODE, RCODE, RRTYPE } from '../../wire/types.ts';
import type { FileOptions } from './setup.ts';

export function createFileHandler(options: FileOptions, env: Env): Handler {
  const { next, store, isLast } = env;
  const zones = new ZoneTable(options.zones.map(({ zone }) => zone));
  const directories = options.zones.map(({ directory }) => directory);
  const labels = options.zones.map(({ zone }) => (zone === '.' ? 0 : zone.split('.').length - 1));
  const fallthrough = options.fallthrough.length > 0 ? new ZoneTable(options.fallthrough) : undefined;
  const answers = new ZoneAnswers(env, 'file', fallthrough);
  env.offers.transferers.push({
    open(query) {
      const index = zones.match(query);
      if (index === -1 || labels[index] !== query.labelCount) return undefined;
      return openZoneTransfer(store, directories[index]!, query);
    },
    zones: () => options.zones.flatMap(({ zone, directory }) => findSerial(store, directory, zone) ?? []),
  });

  return function file(query, answer) {
    const index = zones.match(query);
    if (index === -1 && !isLast) return next(query, answer);
    // Without a next plugin nobody here knows the name. Transfers are the transfer plugin's; without it they are refused.
    if (index === -1 || query.qtype === RRTYPE.AXFR || query.qtype === RRTYPE.IXFR) {
      answer.fail(RCODE.REFUSED);
      return Outcome.FAILED;
    }
    if (query.opcode === OPCODE.NOTIFY) return Outcome.DROPPED;
    store.enter();
    try {
      const zoneLabel = query.labelCount - labels[index]!;
      const zone = findZone(store, directories[index]!, query, zoneLabel);
      if (zone === 0) {
        answer.fail(RCODE.SERVFAIL, 'the zone is not loaded');
        return Outcome.FAILED;
      }
      const result = answers.serve(query, answer, zone, zoneLabel);
      if (result !== undefined) return result;
    } finally {
      store.leave();
    }
    return next(query, answer);
  };
}
