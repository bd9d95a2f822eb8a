// One server block without sockets or threads: set up from a Corefile's body, compiled, asked. For tests of plugins.
import dnsPacket from 'dns-packet';
import { ManualClock } from '../../../lib/base/clock.ts';
import type { Logger } from '../../../lib/base/log.ts';
import { parseIpAddress } from '../../../lib/base/ip-address.ts';
import { Answer } from '../../../lib/chain/answer.ts';
import { type BaseEnv, compileChain } from '../../../lib/chain/compile.ts';
import { finish } from '../../../lib/chain/finish.ts';
import { Outcome } from '../../../lib/chain/outcome.ts';
import type { Handler, HandlerFactory, Service, SetupContext, SourceSpec } from '../../../lib/chain/plugin.ts';
import { Query, TRANSPORT } from '../../../lib/chain/query.ts';
import { makeSubquery } from '../../../lib/chain/subquery.ts';
import { MetricRegistry } from '../../../lib/metrics/registry.ts';
import { HANDLERS } from '../../../lib/plugins/handlers.ts';
import { CONFIG_ONLY, PLUGIN_ORDER } from '../../../lib/plugins/order.ts';
import { SETUPS } from '../../../lib/plugins/setups.ts';
import { type HostsSourceOptions, startHostsSource } from '../../../lib/sources/hosts-file/source.ts';
import { createStoreMemory } from '../../../lib/store/layout.ts';
import { StoreReader } from '../../../lib/store/reader.ts';
import { StoreWriter } from '../../../lib/store/writer.ts';
import { parseTestCorefile } from '../config/parse-test-corefile.ts';
import { makeUpstream } from './fake-chain.ts';

export type RigOptions = {
  readonly zones?: readonly string[];
  readonly servers?: readonly string[];
  readonly view?: string;
  /** Stands where the chain ends, so that a plugin has something to wrap. */
  readonly last?: Handler;
  readonly worker?: number;
  readonly metrics?: MetricRegistry;
};

export type Asked = {
  readonly type?: string;
  readonly class?: string;
  readonly from?: string;
  readonly tcp?: boolean;
  readonly udpSize?: number;
  readonly dnssecOk?: boolean;
  readonly options?: readonly { readonly code: number; readonly data: Buffer }[];
  readonly flags?: number;
};

export type Reply = {
  readonly outcome: Outcome;
  readonly rcode: string;
  readonly flags: readonly string[];
  readonly answers: readonly string[];
  readonly authorities: readonly string[];
  readonly additionals: readonly string[];
  readonly bytes: Buffer;
  readonly answer: Answer;
  readonly query: Query;
};

/** A logger that keeps its lines. */
export function keepLines(lines: string[], prefix = ''): Logger {
  const put = (level: string) => (text: string) => void lines.push(`[${level}] ${prefix}${text}`);
  return {
    debug: () => undefined,
    info: put('INFO'),
    warning: put('WARNING'),
    error: put('ERROR'),
    fatal: put('FATAL'),
    forPlugin: (name) => keepLines(lines, `plugin/${name}: `),
  };
}

export class BlockRig {
  readonly clock: ManualClock = new ManualClock();
  readonly metrics: MetricRegistry;
  readonly cells: Float64Array = new Float64Array(65_536);
  readonly lines: string[] = [];
  readonly warnings: string[] = [];
  readonly services: Service[] = [];
  readonly context: SetupContext;
  readonly chain: { plugin: string; options: unknown }[] = [];
  readonly handler: Handler;
  readonly #memory = createStoreMemory({ arenaBytes: 2 ** 22, readers: 2 });
  readonly writer: StoreWriter = new StoreWriter(this.#memory);
  readonly store: StoreReader = new StoreReader(this.#memory, 0);
  readonly #closers: (() => void)[] = [];
  readonly fatal: string[] = [];
  readonly notified: string[] = [];

  constructor(body: string, options: RigOptions = {}) {
    const { zones = ['.'], servers = ['dns://:1053'], view = '', worker = 0 } = options;
    this.metrics = options.metrics ?? new MetricRegistry();
    const [block] = parseTestCorefile(`${zones.join(' ')} {\n${body}\n}\n`, { defaultPort: 1053 }).blocks;
    const names = PLUGIN_ORDER.filter((name) => block!.directives.some((directive) => directive.name === name));
    this.context = this.#makeContext(block!.keys, { zones, servers, view, directives: names });
    for (const name of names) {
      const setup = SETUPS[name];
      if (setup === undefined) throw new Error(`no setup for ${name}`);
      const result = setup(
        block!.directives.filter((directive) => directive.name === name),
        this.context,
      );
      // What crosses to a worker must survive the crossing.
      if (!CONFIG_ONLY.has(name)) this.chain.push({ plugin: name, options: structuredClone(result) });
    }
    const last = options.last;
    const handlers: Record<string, HandlerFactory<never>> = { ...HANDLERS, ...(last && { last: () => last }) };
    const chain = last ? [...this.chain, { plugin: 'last', options: {} }] : this.chain;
    this.handler = compileChain({ zones, view, servers, chain }, handlers, this.#makeEnv(worker));
  }

  #makeContext(
    keys: SetupContext['keys'],
    given: Pick<SetupContext, 'zones' | 'servers' | 'view' | 'directives'>,
  ): SetupContext {
    return {
      ...given,
      keys,
      root: process.cwd(),
      listener: {
        bind: [],
        readTimeoutMs: 3000,
        writeTimeoutMs: 5000,
        idleTimeoutMs: 10_000,
        maxQueriesPerConnection: -1,
        sockets: 0,
        anyClass: false,
        debug: false,
      },
      metrics: this.metrics,
      log: keepLines(this.lines),
      addService: (service) => void this.services.push(service),
      addSource: (source) => this.#startSource(source),
      warn: (text) => void this.warnings.push(text),
    };
  }

  #startSource(source: SourceSpec): number {
    if (source.kind !== 'hosts') throw new Error(`no source ${source.kind} in this rig`);
    const tree = this.writer.openTree();
    const env = { writer: this.writer, tree, clock: this.clock, log: keepLines(this.lines), cells: this.cells };
    this.#closers.push(startHostsSource(source.options as HostsSourceOptions, env));
    return tree;
  }

  #makeEnv(worker: number): BaseEnv {
    let seed = 1;
    return {
      clock: this.clock,
      store: this.store,
      upstreams: { open: () => makeUpstream(() => Promise.reject(new Error('no upstream in this rig'))) },
      cells: this.cells,
      random: () => mix((seed = (seed + 0x6d2b79f5) | 0)),
      resolve: (query, name, type, into) => {
        const subquery = makeSubquery(query, name, type);
        into.begin(subquery);
        return this.handler(subquery, into);
      },
      onClose: (run) => void this.#closers.push(run),
      fatal: (text) => void this.fatal.push(text),
      notifySource: (tree, zone) => void this.notified.push(`${tree} ${zone}`),
      worker,
      logFor: (plugin) => keepLines(this.lines, `plugin/${plugin}: `),
    };
  }

  /** A parsed query as the loop hands it to the chain. */
  makeQuery(name: string, asked: Asked = {}): Query {
    const { type = 'A', udpSize, options = [], dnssecOk = false } = asked;
    const additionals =
      udpSize === undefined && options.length === 0 && !dnssecOk
        ? []
        : [{ type: 'OPT', name: '.', udpPayloadSize: udpSize ?? 1232, flags: dnssecOk ? 0x8000 : 0, options }];
    const bytes = dnsPacket.encode({
      type: 'query',
      id: 4711,
      flags: asked.flags ?? dnsPacket.RECURSION_DESIRED,
      questions: [{ type: type as 'A', name, class: (asked.class ?? 'IN') as 'IN' }],
      additionals: additionals as unknown as dnsPacket.Answer[],
    });
    const query = new Query();
    if (query.parse(bytes, 0, bytes.length) !== 0) throw new Error(`test query for ${name} is malformed`);
    query.receivedMs = this.clock.monotonicMs();
    query.transport = asked.tcp ? TRANSPORT.TCP : TRANSPORT.UDP;
    query.sizeLimit = asked.tcp ? 65_535 : Math.max(512, query.udpSize);
    const address = parseIpAddress(asked.from ?? '127.0.0.1')!.bytes;
    query.clientAddress.set(address);
    query.family = address.length === 4 ? 4 : 6;
    query.clientPort = 40_053;
    query.zone = 0;
    query.server = 0;
    return query;
  }

  /** Asks the block and reads what the client would get. */
  async ask(name: string, asked: Asked = {}): Promise<Reply> {
    const query = this.makeQuery(name, asked);
    const answer = new Answer();
    answer.begin(query);
    const outcome = await this.handler(query, answer);
    return readReply(query, answer, outcome);
  }

  /** Value of a series; 0 when it was never declared. Histograms give their count. */
  metric(name: string, labels: Readonly<Record<string, string>> = {}): number {
    const family = this.metrics.families.get(name);
    let sum = 0;
    for (const series of family?.series.values() ?? []) {
      if (!Object.entries(labels).every(([label, value]) => series.labels[label] === value)) continue;
      const count = family!.type === 'histogram' ? family!.buckets.length + 1 : 1;
      for (let i = 0; i < count; i++) sum += this.cells[series.cell + i]!;
    }
    return sum;
  }

  close(): void {
    for (const run of this.#closers) run();
  }
}

/** A well mixed 32-bit number from a counter (splitmix). */
function mix(counter: number): number {
  let value = Math.imul(counter ^ (counter >>> 16), 0x21f0aaad);
  value = Math.imul(value ^ (value >>> 15), 0x735a2d97);
  return (value ^ (value >>> 15)) >>> 0;
}

export function readReply(query: Query, answer: Answer, outcome: Outcome): Reply {
  const length = finish(query, answer);
  const bytes = Buffer.from(answer.bytes.slice(answer.base, answer.base + length));
  const packet = dnsPacket.decode(bytes);
  const flags = [
    ['aa', packet.flag_aa],
    ['tc', packet.flag_tc],
    ['rd', packet.flag_rd],
    ['ra', packet.flag_ra],
  ] as const;
  return {
    outcome,
    rcode: (packet as unknown as { rcode: string }).rcode,
    flags: flags.filter(([, isSet]) => isSet).map(([flag]) => flag),
    answers: (packet.answers ?? []).map(formatRecord),
    authorities: (packet.authorities ?? []).map(formatRecord),
    additionals: (packet.additionals ?? []).filter(({ type }) => type !== 'OPT').map(formatRecord),
    bytes,
    answer,
    query,
  };
}

/** `name ttl type data`. */
function formatRecord(record: dnsPacket.Answer): string {
  const { name, ttl, type, data } = record as { name: string; ttl?: number; type: string; data: unknown };
  if (Array.isArray(data)) return `${name} ${ttl} ${type} ${data.map((part) => `"${String(part)}"`).join(' ')}`;
  return `${name} ${ttl} ${type} ${typeof data === 'string' ? data : JSON.stringify(data)}`;
}

/** A chain's end that answers with these records: `[section, name, type, ttl, rdata]`. */
export type FixedRecord = readonly [
  section: 0 | 1 | 2,
  name: Uint8Array,
  type: number,
  ttl: number,
  rdata: (answer: Answer) => void,
];

export function answerWith(records: readonly FixedRecord[], rcode = 0): Handler {
  return (_query, answer) => {
    answer.rcode = rcode;
    for (const [section, name, type, ttl, rdata] of records) {
      answer.beginRecord(section, name, 0, type, ttl);
      rdata(answer);
      answer.endRecord();
    }
    return Outcome.ANSWERED;
  };
}
