// What handlers are given in tests: an Env with a clock that stands still, upstreams that are functions, queries from dns-packet.
import dnsPacket from 'dns-packet';
import { ManualClock } from '../../../lib/base/clock.ts';
import { BlockOffers } from '../../../lib/chain/block-offers.ts';
import type { Logger } from '../../../lib/base/log.ts';
import { Answer } from '../../../lib/chain/answer.ts';
import { finish } from '../../../lib/chain/finish.ts';
import { Outcome } from '../../../lib/chain/outcome.ts';
import type { Env, Handler, SetupContext, Upstream, UpstreamTarget } from '../../../lib/chain/plugin.ts';
import { Query, TRANSPORT } from '../../../lib/chain/query.ts';
import type { Directive } from '../../../lib/config/directive.ts';
import { MetricRegistry } from '../../../lib/metrics/registry.ts';
import { parseTestCorefile } from '../config/parse-test-corefile.ts';

export type Packet = dnsPacket.DecodedPacket;

const silent: Logger = {
  debug() {},
  info() {},
  warning() {},
  error() {},
  fatal() {},
  forPlugin: () => silent,
};

/** Directives named `name` of a one-block Corefile with this body. */
export function directivesOf(name: string, body: string): readonly Directive[] {
  const { blocks } = parseTestCorefile(`.:1053 {\n${body}\n}\n`);
  const [block] = blocks;
  return block!.directives.filter((directive) => directive.name === name);
}

export type TestContext = SetupContext & { readonly warnings: string[] };

export function makeContext(
  zones: readonly string[] = ['.'],
  metrics: MetricRegistry = new MetricRegistry(),
): TestContext {
  const warnings: string[] = [];
  return {
    keys: [],
    zones,
    servers: ['dns://:1053'],
    view: '',
    root: process.cwd(),
    listener: {
      bind: [],
      readTimeoutMs: 0,
      writeTimeoutMs: 0,
      idleTimeoutMs: 0,
      maxQueriesPerConnection: -1,
      sockets: 0,
      anyClass: false,
      debug: false,
    },
    metrics,
    log: silent,
    directives: [],
    addService() {},
    addSource: () => 1,
    warn: (text) => void warnings.push(text),
    warnings,
  };
}

/** Value of a series in `cells`, found by the labels given; the sum when several match. Histograms give their count. */
export function readMetric(
  metrics: MetricRegistry,
  cells: Float64Array,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  const family = metrics.families.get(name);
  if (!family) throw new Error(`no metric ${name}`);
  let sum = 0;
  for (const series of family.series.values()) {
    if (!Object.entries(labels).every(([label, value]) => series.labels[label] === value)) continue;
    const cellsOfSeries = family.type === 'histogram' ? family.buckets.length + 1 : 1;
    for (let i = 0; i < cellsOfSeries; i++) sum += cells[series.cell + i]!;
  }
  return sum;
}

/** What a fake upstream saw, and how it answers: a packet, bytes, or an error to reject with; undefined never answers. */
export type Exchange = {
  readonly address: string;
  readonly message: Uint8Array;
  readonly transport: 'udp' | 'tcp';
  readonly timeoutMs: number;
};
export type Responder = (
  exchange: Exchange,
) => Partial<dnsPacket.Packet> | Uint8Array | Error | undefined | Promise<Partial<dnsPacket.Packet> | Error>;

export type TestEnv = Env & {
  readonly clock: ManualClock;
  readonly cells: Float64Array;
  readonly exchanges: Exchange[];
  close(): void;
};

export function makeEnv(
  options: {
    next?: Handler;
    respond?: Responder;
    clock?: ManualClock;
    random?: () => number;
    worker?: number;
    cells?: Float64Array;
  } = {},
): TestEnv {
  const clock = options.clock ?? new ManualClock();
  const exchanges: Exchange[] = [];
  const closers: (() => void)[] = [];
  let seed = 1;
  const open = ({ address, port }: UpstreamTarget): Upstream =>
    makeUpstream((message, transport, timeoutMs) =>
      answerExchange(
        { address: `${address}:${port}`, message, transport, timeoutMs },
        options.respond,
        clock,
        exchanges,
      ),
    );
  return {
    next: options.next ?? refuse,
    clock,
    log: silent,
    store: undefined as never,
    offers: new BlockOffers(),
    upstreams: { open },
    cells: options.cells ?? new Float64Array(65_536),
    random: options.random ?? (() => (seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0) >>> 12),
    resolve: () => Outcome.FAILED,
    fatal() {},
    notifySource() {},
    onClose: (run) => void closers.push(run),
    worker: options.worker ?? 0,
    exchanges,
    close: () => closers.forEach((run) => run()),
  };
}

/** An upstream whose every exchange is `exchange`. */
export function makeUpstream(exchange: Upstream['exchange']): Upstream {
  return {
    exchange,
    ask: (message, transport, timeoutMs, waiter, mixing) =>
      void exchange(message, transport, timeoutMs, mixing).then(
        (reply) => waiter.replied(reply),
        (error: Error) => waiter.failed(error),
      ),
    takeMismatches: () => 0,
    close() {},
  };
}

const refuse: Handler = (_query, answer) => {
  answer.fail(5);
  return Outcome.FAILED;
};

async function answerExchange(
  exchange: Exchange,
  respond: Responder | undefined,
  clock: ManualClock,
  exchanges: Exchange[],
): Promise<{ bytes: Uint8Array; length: number; reused: boolean }> {
  exchanges.push({ ...exchange, message: exchange.message.slice() });
  const reply = await respond?.(exchange);
  if (reply === undefined) {
    await new Promise((resolve) => void clock.after(exchange.timeoutMs, () => resolve(undefined)));
    throw new Error(`read ${exchange.transport} ${exchange.address}: i/o timeout`);
  }
  if (reply instanceof Error) throw reply;
  const bytes = reply instanceof Uint8Array ? reply : encodeReply(exchange.message, reply);
  return { bytes, length: bytes.length, reused: exchanges.length > 1 };
}

/** Encodes `reply` as the answer to the message `to`. Names are not compressed. */
export function encodeReply(to: Uint8Array, reply: Partial<dnsPacket.Packet>): Uint8Array {
  const query = dnsPacket.decode(Buffer.from(to));
  const { rcode = 0, ...rest } = reply as Partial<dnsPacket.Packet> & { rcode?: number };
  const flags = (reply.flags ?? dnsPacket.RECURSION_AVAILABLE) | dnsPacket.RECURSION_DESIRED | rcode;
  return dnsPacket.encode({ id: query.id, questions: query.questions ?? [], ...rest, type: 'response', flags });
}

export type Asked = {
  type?: string;
  dnssecOk?: boolean;
  edns?: boolean;
  flags?: number;
  tcp?: boolean;
  class?: string;
};

/** A parsed query as the loop would hand it to a handler. */
export function makeQuery(name: string, clock: ManualClock, asked: Asked = {}): Query {
  const additionals =
    asked.edns || asked.dnssecOk
      ? [{ type: 'OPT', name: '.', udpPayloadSize: 1232, flags: asked.dnssecOk ? dnsPacket.DNSSEC_OK : 0, options: [] }]
      : [];
  const bytes = dnsPacket.encode({
    type: 'query',
    id: 4711,
    flags: dnsPacket.RECURSION_DESIRED | (asked.flags ?? 0),
    questions: [{ type: (asked.type ?? 'A') as 'A', name, class: (asked.class ?? 'IN') as 'IN' }],
    additionals: additionals as unknown as dnsPacket.OptAnswer[],
  });
  const query = new Query();
  if (query.parse(bytes, 0, bytes.length) !== 0) throw new Error(`test query for ${name} is malformed`);
  query.receivedMs = clock.monotonicMs();
  query.transport = asked.tcp ? TRANSPORT.TCP : TRANSPORT.UDP;
  query.sizeLimit = asked.tcp ? 65_535 : 1232;
  return query;
}

export type Reply = {
  readonly outcome: Outcome;
  readonly packet: Packet;
  readonly bytes: Buffer;
  readonly answer: Answer;
};

/** Runs a query through `handler` and decodes what the client would get. */
export async function ask(handler: Handler, query: Query): Promise<Reply> {
  const answer = new Answer();
  answer.begin(query);
  const outcome = await handler(query, answer);
  return decode(query, answer, outcome);
}

export function decode(query: Query, answer: Answer, outcome: Outcome): Reply {
  const { error } = answer;
  const length = finish(query, answer);
  const bytes = Buffer.from(answer.bytes.slice(answer.base, answer.base + length));
  answer.error = error;
  return { outcome, packet: dnsPacket.decode(bytes), bytes, answer };
}

/** `name ttl type data` of the records in a section. */
export function format(records: readonly dnsPacket.Answer[] | undefined): string[] {
  return (records ?? [])
    .filter((record) => record.type !== 'OPT')
    .map((record) => {
      const { name, ttl, type, data } = record as { name: string; ttl?: number; type: string; data: unknown };
      return `${name} ${ttl} ${type} ${typeof data === 'string' ? data : JSON.stringify(data)}`;
    });
}
