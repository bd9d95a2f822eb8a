// Answers from the zones of a folder, which come and go while the plan stays. Worker.
import { Outcome } from '../../chain/outcome.ts';
import type { Env, Handler } from '../../chain/plugin.ts';
import { openZoneTransfer } from '../../chain/stored-zone-transfer.ts';
import { ZoneAnswers } from '../../chain/zone-answer.ts';
import { ZoneTable } from '../../chain/zone-table.ts';
import { findLongestZone, findZone, ZoneList } from '../../store/zone-directory.ts';
import { RCODE, RRTYPE } from '../../wire/types.ts';
import type { AutoOptions } from './setup.ts';

export function createAutoHandler(options: AutoOptions, env: Env): Handler {
  const { next, store, isLast } = env;
  const { directory } = options;
  const scope = new ZoneTable(options.zones);
  const answers = new ZoneAnswers(env, 'auto', undefined);
  const zones = new ZoneList(store, directory);
  env.offers.transferers.push({
    open: (query) => (scope.match(query) === -1 ? undefined : openZoneTransfer(store, directory, query)),
    zones: () => zones.read(),
  });

  return function auto(query, answer) {
    if (scope.match(query) === -1) return next(query, answer);
    store.enter();
    try {
      const zoneLabel = findLongestZone(store, directory, query);
      if (zoneLabel !== -1 && query.qtype !== RRTYPE.AXFR && query.qtype !== RRTYPE.IXFR) {
        // Nothing falls through: the answer is always one.
        return answers.serve(query, answer, findZone(store, directory, query, zoneLabel), zoneLabel)!;
      }
      if (zoneLabel !== -1 || isLast) {
        answer.fail(RCODE.REFUSED);
        return Outcome.FAILED;
      }
    } finally {
      store.leave();
    }
    return next(query, answer);
  };
}
