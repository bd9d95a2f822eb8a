// Recognises a probe that comes back: the server forwards to itself. Worker.
import { formatIpAddress, formatHostPort } from '../../base/ip-address.ts';
import { Outcome } from '../../chain/outcome.ts';
import type { Env, Handler } from '../../chain/plugin.ts';
import type { Query } from '../../chain/query.ts';
import { equalNames, formatName, parseNameLower } from '../../wire/name.ts';
import { RCODE, RRTYPE } from '../../wire/types.ts';
import type { LoopOptions } from './setup.ts';

/** The first time is the control thread's own question, the second may be a retransmission if it has the same source. */
const MAX_SEEN = 2;
/** The probe is sent for 30 s; after that nobody's query can end the process. */
const ACTIVE_MS = 33_000;
/** And for this long once a probe was answered. */
const ACTIVE_AFTER_ANSWER_MS = 2000;

export function createLoopHandler(options: LoopOptions, env: Env): Handler {
  return options.exits ? createExit(options, env) : createGuard(env);
}

/** Has `forward` look for upstreams that lead back here, and stops its questions when they do. */
function createGuard({ next, offers }: Env): Handler {
  const guards = offers.loopGuards;
  for (const guard of guards) guard.start();
  if (guards.length === 0) return next;
  return function loop(query, answer) {
    if (query.qtype !== RRTYPE.HINFO) return next(query, answer);
    for (const guard of guards) {
      if (!guard.hears(query)) continue;
      answer.fail(RCODE.SERVFAIL);
      return Outcome.FAILED;
    }
    return next(query, answer);
  };
}

/** Ends the process when the control thread's probe comes back. */
function createExit(options: LoopOptions, env: Env): Handler {
  const { next, clock } = env;
  const probe = parseNameLower(options.probe);
  let activeUntilMs = clock.monotonicMs() + ACTIVE_MS;
  let attempt = '';
  let seen = 0;
  let source = '';
  if (probe === undefined) return next;

  function look(query: Query): boolean {
    // Each attempt asks for another first label, so that retries after a timeout do not add up to a loop.
    const name = formatName(query.name);
    const client = formatHostPort(
      formatIpAddress(query.clientAddress.slice(0, query.family === 4 ? 4 : 16)),
      query.clientPort,
    );
    if (name !== attempt) {
      attempt = name;
      seen = 0;
      source = client;
    }
    // The control thread asks for each name once. From elsewhere it has been forwarded to here; a third time may never
    // come, because forward lets equal queries wait for the first one.
    if (++seen <= MAX_SEEN && client === source) return false;
    env.fatal(
      `plugin/loop: Loop (${client} -> ${options.address}) detected for zone ${JSON.stringify(options.zone)}, ` +
        `see https://coredns.io/plugins/loop#troubleshooting. Query: "HINFO ${name}"`,
    );
    return true;
  }

  return function loop(query, answer) {
    if (query.qtype !== RRTYPE.HINFO || query.labelCount === 0) return next(query, answer);
    if (!equalNames(query.name, query.labelAt[1]!, probe, 0) || clock.monotonicMs() > activeUntilMs) {
      return next(query, answer);
    }
    if (look(query)) {
      // Not forwarded again: the loop ends here even while the process is on its way out.
      answer.fail(RCODE.SERVFAIL);
      return Outcome.FAILED;
    }
    const result = next(query, answer);
    if (typeof result === 'object') return result.then(settle);
    return settle(result);
  };

  function settle(outcome: Outcome): Outcome {
    activeUntilMs = Math.min(activeUntilMs, clock.monotonicMs() + ACTIVE_AFTER_ANSWER_MS);
    return outcome;
  }
}
