// Hands whole zones to those who may have them: AXFR (RFC 5936), IXFR answered with a whole zone (RFC 1995 section 4). Worker.
import { formatIpAddress, parseIpAddress } from '../../base/ip-address.ts';
import type { Answer } from '../../chain/answer.ts';
import { Outcome } from '../../chain/outcome.ts';
import type { Env, Handler } from '../../chain/plugin.ts';
import { type Query, TRANSPORT } from '../../chain/query.ts';
import { ZoneTable } from '../../chain/zone-table.ts';
import { TRANSFER, type ZoneTransfer } from '../../chain/zone-transfer.ts';
import { formatName, skipName } from '../../wire/name.ts';
import { RCODE, RRTYPE } from '../../wire/types.ts';
import { startNotifier } from './notifier.ts';
import type { TransferOptions, TransferRule } from './setup.ts';

/** A message is sent when it is this long: names further behind could not be pointed to (RFC 1035 section 4.1.4). */
const MESSAGE_BYTES = 16_000;
/** Transfers under way at the same time in a worker; others are refused. */
const MAX_TRANSFERS = 8;

export function createTransferHandler(options: TransferOptions, env: Env): Handler {
  const rules = options.rules.map(compileRule);
  const transfers = new Transfers(env);
  startNotifier(options, env);
  return function transfer(query, answer) {
    const { qtype } = query;
    if (qtype !== RRTYPE.AXFR && qtype !== RRTYPE.IXFR) return env.next(query, answer);
    // A zone does not fit into a datagram, and HTTP carries one message.
    if (query.transport !== TRANSPORT.TCP && query.transport !== TRANSPORT.TLS) {
      answer.fail(RCODE.REFUSED);
      return Outcome.FAILED;
    }
    const rule = findRule(rules, query);
    if (!rule) return env.next(query, answer);
    if (!isAllowed(rule, query)) {
      answer.rcode = RCODE.REFUSED;
      return Outcome.ANSWERED;
    }
    const serial = qtype === RRTYPE.IXFR ? readSerial(query) : -1;
    if (serial === undefined) {
      answer.fail(RCODE.SERVFAIL, 'an IXFR query without the SOA record of the copy');
      return Outcome.FAILED;
    }
    return transfers.begin(query, answer, serial);
  };
}

type CompiledRule = {
  /** One table per zone, to compare the lengths of matches over rules. */
  readonly zones: readonly { readonly table: ZoneTable; readonly length: number }[];
  readonly anyone: boolean;
  readonly clients: readonly Uint8Array[];
};

function compileRule(rule: TransferRule): CompiledRule {
  return {
    zones: rule.zones.map((zone) => ({ table: new ZoneTable([zone]), length: zone.length })),
    anyone: rule.anyone,
    clients: rule.secondaries.flatMap(({ address }) => parseIpAddress(address)?.bytes ?? []),
  };
}

/** The rule with the longest zone that the name is in. */
function findRule(rules: readonly CompiledRule[], query: Query): CompiledRule | undefined {
  let best: CompiledRule | undefined;
  let length = 0;
  for (const rule of rules) {
    for (const zone of rule.zones) {
      if (zone.length <= length || zone.table.match(query) === -1) continue;
      best = rule;
      length = zone.length;
    }
  }
  return best;
}

function isAllowed({ anyone, clients }: CompiledRule, query: Query): boolean {
  if (anyone) return true;
  const size = query.family === 4 ? 4 : 16;
  return clients.some((client) => client.length === size && client.every((byte, i) => byte === query.clientAddress[i]));
}

/** Serial of the SOA record in the authority section (RFC 1995 section 3); undefined without one. */
function readSerial(query: Query): number | undefined {
  const { packet, packetAt: base, packetLength: end } = query;
  if (packet[base + 9] !== 1 || packet[base + 7] !== 0) return undefined;
  let at = skipName(packet, base, query.questionEnd, end);
  if (at === -1 || at + 10 > end || ((packet[base + at]! << 8) | packet[base + at + 1]!) !== RRTYPE.SOA)
    return undefined;
  at = skipName(packet, base, at + 10, end);
  if (at !== -1) at = skipName(packet, base, at, end);
  if (at === -1 || at + 4 > end) return undefined;
  const i = base + at;
  return ((packet[i]! << 24) | (packet[i + 1]! << 16) | (packet[i + 2]! << 8) | packet[i + 3]!) >>> 0;
}

/** Whether serial `a` is `b` or newer (RFC 1982 section 3.2). */
export function isCurrent(a: number, b: number): boolean {
  return ((a - b) | 0) >= 0;
}

class Transfers {
  readonly #env: Env;
  #active = 0;

  constructor(env: Env) {
    this.#env = env;
  }

  /** @param serial of the client's copy, -1 for none */
  begin(query: Query, answer: Answer, serial: number): ReturnType<Handler> {
    if (this.#active >= MAX_TRANSFERS) {
      answer.fail(RCODE.REFUSED, `${MAX_TRANSFERS} transfers are under way already`);
      return Outcome.FAILED;
    }
    const transfer = this.#open(query);
    if (!transfer) return this.#env.next(query, answer);
    this.#active++;
    return this.#first(query, answer, transfer, serial).finally(() => {
      if (answer.continuation === undefined) this.#active--;
    });
  }

  #open(query: Query): ZoneTransfer | undefined {
    const { offers, store } = this.#env;
    store.enter();
    try {
      for (const transferer of offers.transferers.toReversed()) {
        const transfer = transferer.open(query);
        if (transfer) return transfer;
      }
      return undefined;
    } finally {
      store.leave();
    }
  }

  async #first(query: Query, answer: Answer, transfer: ZoneTransfer, serial: number): Promise<Outcome> {
    while (!this.#prepare(transfer)) await new Promise<void>((resolve) => void setImmediate(resolve));
    const { store, log } = this.#env;
    answer.plugin = 'transfer';
    answer.live = true;
    store.enter();
    try {
      if (serial !== -1 && isCurrent(serial, transfer.serial)) {
        transfer.addSoa(answer);
        log.info(
          `Outgoing noop, incremental transfer for up to date zone ${quoteName(query)} to ${formatClient(query)} for ` +
            `${transfer.serial} SOA serial`,
        );
        return Outcome.ANSWERED;
      }
      this.#continue(query, answer, transfer);
    } finally {
      store.leave();
    }
    return Outcome.ANSWERED;
  }

  #prepare(transfer: ZoneTransfer): boolean {
    if (transfer.prepare === undefined) return true;
    const { store } = this.#env;
    store.enter();
    try {
      return transfer.prepare();
    } finally {
      store.leave();
    }
  }

  /** Fills a message and sees to it that the next one follows. */
  #continue(query: Query, answer: Answer, transfer: ZoneTransfer): void {
    answer.authoritative = true;
    switch (transfer.addRecords(answer, MESSAGE_BYTES)) {
      case TRANSFER.MORE:
        answer.continuation = {
          next: (nextQuery, nextAnswer) => this.#continue(nextQuery, nextAnswer, transfer),
          end: () => void this.#active--,
        };
        return;
      case TRANSFER.DONE:
        this.#env.log.info(
          `Outgoing transfer of ${transfer.records} records of zone ${quoteName(query)} to ${formatClient(query)} for ` +
            `${transfer.serial} SOA serial`,
        );
        return;
      default:
        // RFC 5936 section 2.2: an error code in any message ends the transfer, and the client throws it away.
        answer.fail(RCODE.SERVFAIL, 'the zone changed while it was transferred');
    }
  }
}

function quoteName(query: Query): string {
  return JSON.stringify(formatName(query.rawName));
}

function formatClient(query: Query): string {
  return formatIpAddress(query.clientAddress.subarray(0, query.family === 4 ? 4 : 16));
}
