// Answers from zones that are copied from primaries, and listens to what those say about changes (NOTIFY, RFC 1996). Worker.
import { parseIpAddress } from '../../base/ip-address.ts';
import type { Answer } from '../../chain/answer.ts';
import { Outcome } from '../../chain/outcome.ts';
import type { Env, Handler } from '../../chain/plugin.ts';
import type { Query } from '../../chain/query.ts';
import { openZoneTransfer } from '../../chain/stored-zone-transfer.ts';
import { ZoneAnswers } from '../../chain/zone-answer.ts';
import { ZoneTable } from '../../chain/zone-table.ts';
import { findLongestZone, findSerial, findZone, ZoneList } from '../../store/zone-directory.ts';
import { formatName } from '../../wire/name.ts';
import { OPCODE, RCODE, RRTYPE } from '../../wire/types.ts';
import type { SecondaryOptions } from './setup.ts';

/** NOTIFY messages that are handed on in a second; further ones get no reply, and primaries repeat them. */
const MAX_NOTIFIES_PER_SECOND = 50;

export function createSecondaryHandler(options: SecondaryOptions, env: Env): Handler {
  const { next, store, isLast, clock } = env;
  const { directory, cells } = options;
  const zones = new ZoneTable(options.zones.map(({ zone }) => zone));
  const labels = options.zones.map(({ zone }) => (zone === '.' ? 0 : zone.split('.').length - 1));
  const primaries = options.zones.map((zone) => toBytes(zone.primaries));
  const hasCatalog = options.zones.some(({ isCatalog }) => isCatalog);
  // Members come from the primaries of their catalog.
  const catalogPrimaries = options.zones.flatMap((zone) => (zone.isCatalog ? toBytes(zone.primaries) : []));
  const fallthrough = options.fallthrough.length > 0 ? new ZoneTable(options.fallthrough) : undefined;
  const answers = new ZoneAnswers(env, 'secondary', fallthrough);
  const list = new ZoneList(store, directory);
  env.offers.transferers.push({
    open: (query) => openZoneTransfer(store, directory, query),
    zones: () =>
      hasCatalog ? list.read() : options.zones.flatMap(({ zone }) => findSerial(store, directory, zone) ?? []),
  });
  let notifies = 0;
  let secondMs = 0;

  /** A message from someone else than a primary gets no reply. */
  function notified(query: Query, answer: Answer, zoneLabel: number, index: number): Outcome {
    const nowMs = clock.monotonicMs();
    if (nowMs - secondMs >= 1000) {
      secondMs = nowMs;
      notifies = 0;
    }
    const senders = index === -1 ? catalogPrimaries : primaries[index]!;
    if (!isOneOf(query, senders) || ++notifies > MAX_NOTIFIES_PER_SECOND) {
      env.cells[cells.droppedNotifies]!++;
      return Outcome.DROPPED;
    }
    env.cells[cells.notifies]!++;
    env.notifySource(directory, formatName(query.name, query.labelAt[zoneLabel]));
    answer.plugin = 'secondary';
    answer.authoritative = true;
    return Outcome.ANSWERED;
  }

  return function secondary(query, answer) {
    const index = zones.match(query);
    let zoneLabel = index === -1 ? -1 : query.labelCount - labels[index]!;
    store.enter();
    try {
      const found = hasCatalog ? findLongestZone(store, directory, query) : -1;
      const isMember = found !== -1 && (zoneLabel === -1 || found < zoneLabel);
      if (isMember) zoneLabel = found;
      // Transfers are the transfer plugin's; without it, or without a next plugin, nobody here has an answer.
      if (zoneLabel === -1 ? isLast : query.qtype === RRTYPE.AXFR || query.qtype === RRTYPE.IXFR) {
        answer.fail(RCODE.REFUSED);
        return Outcome.FAILED;
      }
      if (zoneLabel !== -1) {
        if (query.opcode === OPCODE.NOTIFY) return notified(query, answer, zoneLabel, isMember ? -1 : index);
        const zone = findZone(store, directory, query, zoneLabel);
        if (zone === 0) {
          answer.fail(RCODE.SERVFAIL, 'the zone has not been transferred yet');
          return Outcome.FAILED;
        }
        const result = answers.serve(query, answer, zone, zoneLabel);
        if (result !== undefined) return result;
      }
    } finally {
      store.leave();
    }
    return next(query, answer);
  };
}

function toBytes(addresses: readonly string[]): Uint8Array[] {
  return addresses.flatMap((address) => parseIpAddress(address)?.bytes ?? []);
}

function isOneOf(query: Query, addresses: readonly Uint8Array[]): boolean {
  const size = query.family === 4 ? 4 : 16;
  return addresses.some(
    (address) => address.length === size && address.every((byte, i) => byte === query.clientAddress[i]),
  );
}
