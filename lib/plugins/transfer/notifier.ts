// Tells the listed servers that a zone has changed (NOTIFY, RFC 1996). One worker does it for all.
import { formatHostPort } from '../../base/ip-address.ts';
import type { Env } from '../../chain/plugin.ts';
import { parseName } from '../../wire/name.ts';
import { CLASS, formatRcode, OPCODE, RCODE, RRTYPE } from '../../wire/types.ts';
import type { Secondary, TransferOptions, TransferRule } from './setup.ts';

/** How often serials are compared. */
const POLL_MS = 1000;
/** A zone that changes all the time is told about this often. */
const MIN_INTERVAL_MS = 5000;
const ATTEMPTS = 3;
const TIMEOUT_MS = 2000;
/** Zones remembered; more are not told about. */
const MAX_ZONES = 10_000;

type Told = { serial: number; dueMs: number };

/** Runs until the plan ends. Nothing to do where every rule names `*` alone, and in all workers but one. */
export function startNotifier(options: TransferOptions, env: Env): void {
  if (env.worker !== 0 || options.rules.every(({ secondaries }) => secondaries.length === 0)) return;
  const notifier = new Notifier(options.rules, env);
  env.onClose(() => notifier.stop());
  notifier.start();
}

class Notifier {
  readonly #rules: readonly TransferRule[];
  readonly #env: Env;
  readonly #told = new Map<string, Told>();
  #cancel: () => void = () => undefined;
  #stopped = false;

  constructor(rules: readonly TransferRule[], env: Env) {
    this.#rules = rules;
    this.#env = env;
  }

  start(): void {
    this.#cancel = this.#env.clock.after(POLL_MS, () => {
      this.#look();
      if (!this.#stopped) this.start();
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  #look(): void {
    const { offers, store, clock } = this.#env;
    const nowMs = clock.monotonicMs();
    store.enter();
    try {
      for (const transferer of offers.transferers) {
        for (const { zone, serial } of transferer.zones()) this.#compare(zone, serial, nowMs);
      }
    } finally {
      store.leave();
    }
  }

  #compare(zone: string, serial: number, nowMs: number): void {
    const told = this.#told.get(zone);
    if (told?.serial === serial || (told && nowMs < told.dueMs)) return;
    if (!told && this.#told.size >= MAX_ZONES) return;
    this.#told.set(zone, { serial, dueMs: nowMs + MIN_INTERVAL_MS });
    const rule = findRule(this.#rules, zone);
    for (const secondary of rule?.secondaries ?? []) void this.#tell(zone, secondary, rule!.source);
  }

  async #tell(zone: string, { address, port }: Secondary, source: string): Promise<void> {
    const { upstreams, log, random } = this.#env;
    const message = makeNotify(zone, random() & 0xffff);
    const where = formatHostPort(address, port);
    if (!message) return;
    const upstream = upstreams.open({
      address,
      port,
      ...(source === '' ? {} : { sourceAddress: source }),
      expireMs: 10_000,
      maxAgeMs: 0,
      maxIdleSockets: 1,
    });
    let fault = '';
    for (let attempt = 0; attempt < ATTEMPTS && !this.#stopped; attempt++) {
      try {
        const { bytes, length } = await upstream.exchange(message, 'udp', TIMEOUT_MS);
        const rcode = length < 12 ? RCODE.SERVFAIL : bytes[3]! & 15;
        if (rcode === RCODE.NOERROR) {
          fault = '';
          break;
        }
        fault = `rcode was "${formatRcode(rcode)}"`;
      } catch (error) {
        fault = JSON.stringify((error as Error).message);
      }
    }
    upstream.close();
    if (fault === '') log.debug(`Sent notifies for zone "${zone}" to ${where}`);
    else if (!this.#stopped) log.warning(`notify for zone "${zone}" was not accepted by "${where}": ${fault}`);
  }
}

/** The rule with the longest zone that `zone` is in. */
function findRule(rules: readonly TransferRule[], zone: string): TransferRule | undefined {
  let best: TransferRule | undefined;
  let length = 0;
  for (const rule of rules) {
    for (const outer of rule.zones) {
      const isIn = outer === '.' || zone === outer || zone.endsWith(`.${outer}`);
      if (!isIn || outer.length <= length) continue;
      best = rule;
      length = outer.length;
    }
  }
  return best;
}

/** Header with AA (RFC 1996 section 3.7) and the zone's SOA as question. */
function makeNotify(zone: string, id: number): Uint8Array | undefined {
  const name = parseName(zone);
  if (!name) return undefined;
  const message = new Uint8Array(12 + name.length + 4);
  message[0] = id >>> 8;
  message[1] = id;
  message[2] = (OPCODE.NOTIFY << 3) | 4;
  message[5] = 1;
  message.set(name, 12);
  message[12 + name.length + 1] = RRTYPE.SOA;
  message[12 + name.length + 3] = CLASS.IN;
  return message;
}
