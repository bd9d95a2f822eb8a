// lib/plugins/forward/setup.ts — control thread. Directives `forward` of one block -> ForwardOptions.
import { randomBytes } from 'node:crypto';
import type { SetupContext, UpstreamTarget } from '../../chain/plugin.ts';
import type { Directive, Token } from '../../config/directive.ts';
import { type ForwardCells, type UpstreamCells, declareForwardMetrics } from './metrics.ts';
import { type Draft, makeDraft, readOption } from './read-options.ts';
import { resolveHost } from './resolve-host.ts';
import { MAX_UPSTREAMS, createSharedState } from './shared-state.ts';
import { type UpstreamAddress, type UpstreamWord, formatUpstream, parseUpstream } from './upstream-address.ts';
import { createUpstreamList, declareUpstreams } from './upstream-list.ts';
import { type TargetTemplate, makeTarget } from './upstream-target.ts';
import type { UpstreamWatch } from './upstream-watch.ts';

export type Policy = 'random' | 'round_robin' | 'sequential';

/** One upstream of a `forward`. */
export type UpstreamOptions = {
  readonly to: string;
  readonly target: UpstreamTarget;
  readonly cells: UpstreamCells;
  /** Its place in the shared state. */
  readonly slot: number;
};

/** One `forward` directive. */
export type ForwardZoneOptions = {
  readonly from: string;
  readonly except: readonly string[];
  readonly upstreams: readonly UpstreamOptions[];
  readonly policy: Policy;
  readonly forceTcp: boolean;
  readonly preferUdp: boolean;
  /** Whether names go out in letters of random case over UDP. */
  readonly caseMixing: boolean;
  readonly readTimeoutMs: number;
  readonly maxFails: number;
  /** 0: no limit but the time; undefined: twice the number of upstreams. */
  readonly maxConnectAttempts: number | undefined;
  /** 0: no limit. */
  readonly maxConcurrent: number;
  readonly healthIntervalMs: number;
  readonly healthDomain: string;
  readonly healthRecursion: boolean;
  /** Codes with which the following `forward` is asked. */
  readonly next: readonly number[];
  readonly nextOnNodata: boolean;
  /** Codes with which the next upstream is asked. */
  readonly failover: readonly number[];
  /** Whether SERVFAIL and REFUSED ask the next upstream, too, unless the reply says that they are meant. */
  readonly failoverByDefault: boolean;
  /** Whether another upstream is asked when one is late. */
  readonly hedge: boolean;
  /** Queries a second that a client may send past the cache, in each worker; 0: no limit. */
  readonly clientRate: number;
  readonly failfast: boolean;
  /** What the targets of all upstreams have in common. */
  readonly template: TargetTemplate;
  /** What names asked for to find loops have in common; nobody can guess it. */
  readonly loopLabel: string;
  /** Numbers that the workers share. */
  readonly shared: SharedArrayBuffer;
  /** Where other upstreams are announced (upstream-list.ts); undefined when TO is all addresses. */
  readonly list: SharedArrayBuffer | undefined;
};

/** What a worker needs to run the `forward` directives of a block, in their order. */
export type ForwardOptions = { readonly forwards: readonly ForwardZoneOptions[]; readonly cells: ForwardCells };

const MAX_TO = 15;

/**
 * Reads all `forward FROM TO... { ... }` of a block.
 *
 * @returns a promise only when a TO is a host name
 * @throws ConfigError `ARGUMENT_COUNT`, `ARGUMENT_VALUE`, `OPTION_UNKNOWN`, `OPTION_CONFLICT`, `FILE` or `ADDRESS`
 */
export function setupForward(
  directives: readonly Directive[],
  context: SetupContext,
): ForwardOptions | Promise<ForwardOptions> {
  // Classes other than IN are for upstreams to answer.
  context.listener.anyClass = true;
  const cells = declareForwardMetrics(context.metrics);
  const forwards = directives.map((directive) => readForward(directive, context));
  if (forwards.every((forward): forward is ForwardZoneOptions => !(forward instanceof Promise))) {
    return { forwards, cells };
  }
  return Promise.all(forwards.map((forward) => Promise.resolve(forward))).then((resolved) => ({
    forwards: resolved,
    cells,
  }));
}

function readForward(directive: Directive, context: SetupContext): ForwardZoneOptions | Promise<ForwardZoneOptions> {
  directive.expectArguments(2, Number.POSITIVE_INFINITY);
  const from = directive.argument();
  const zones = directive.parseZones([from]);
  if (zones[0] === undefined) throw directive.valueError(from, 'a zone');
  if (zones.length > 1) {
    context.warn(
      `plugin/forward: ${from.text} in line ${from.line} is more than one zone, only ${zones[0]} is forwarded; write the others in directives of their own`,
    );
  }
  const draft = makeDraft(zones[0]);
  for (const option of directive.options()) readOption(directive, option, draft, context);
  const { expireMs, maxAgeMs } = draft.template;
  if (maxAgeMs > 0 && maxAgeMs < expireMs) {
    throw directive.error('OPTION_CONFLICT', 'max_age must not be less than expire');
  }
  const words = directive.args.slice(1).map((token) => readTo(directive, token));
  if (words.filter(({ word }) => word.kind === 'host' || word.addresses.length > 0).length > MAX_TO) {
    throw directive.error('ARGUMENT_COUNT', `takes at most ${MAX_TO} upstreams, has ${words.length}`);
  }
  const goodWords = words.map(({ word }) => word);
  if (goodWords.every((word) => word.kind === 'addresses')) {
    return finish(
      directive,
      draft,
      context,
      goodWords,
      goodWords.flatMap(({ addresses }) => addresses),
    );
  }
  return Promise.all(words.map(({ word, token }) => expand(directive, token, word, draft.resolvers))).then(
    (addresses) => finish(directive, draft, context, goodWords, addresses.flat()),
  );
}

type GoodWord = Exclude<UpstreamWord, { kind: 'fault' }>;

function readTo(directive: Directive, token: Token): { token: Token; word: GoodWord } {
  const word = parseUpstream(token.text);
  if (word.kind === 'fault') throw directive.valueError(token, word.fault);
  return { token, word };
}

async function expand(
  directive: Directive,
  token: Token,
  word: GoodWord,
  resolvers: readonly string[],
): Promise<readonly UpstreamAddress[]> {
  if (word.kind === 'addresses') return word.addresses;
  try {
    return (await resolveHost(word.host, resolvers)).map((host) => ({ ...word.like, host }));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw directive.error('ADDRESS', `cannot resolve ${JSON.stringify(word.host)}: ${reason}`, token.line);
  }
}

function finish(
  directive: Directive,
  draft: Draft,
  context: SetupContext,
  words: readonly GoodWord[],
  addresses: readonly UpstreamAddress[],
): ForwardZoneOptions {
  const { template, hedge, resolvers, ...options } = draft;
  if (addresses.length === 0) {
    throw directive.error('ARGUMENT_VALUE', 'no upstream: the files named have no nameserver line');
  }
  for (const address of addresses) checkAddress(directive, template, context, address);
  const announced = declareUpstreams(addresses, [], context.metrics);
  if (announced.length > MAX_UPSTREAMS) {
    throw directive.error('ARGUMENT_COUNT', `has ${announced.length} upstreams, at most ${MAX_UPSTREAMS} are possible`);
  }
  const shared = createSharedState();
  const isWatched = words.some((word) => word.kind === 'host' || word.file !== undefined);
  const list = isWatched ? createUpstreamList() : undefined;
  if (list) {
    const watch: UpstreamWatch = { zone: draft.from, words, resolvers, announced, list, shared };
    context.addService({ kind: 'upstreams', watch });
  }
  // Whoever writes `sequential` wants the first and nobody else as long as it says anything.
  const isFree = draft.policy !== 'sequential';
  return {
    ...options,
    template,
    hedge: hedge ?? isFree,
    failoverByDefault: isFree,
    upstreams: announced.map(({ to, address, cells, slot }) => ({
      to,
      target: makeTarget(address, template),
      cells,
      slot,
    })),
    loopLabel: randomBytes(16).toString('hex'),
    shared,
    list,
  };
}

function checkAddress(
  directive: Directive,
  template: TargetTemplate,
  context: SetupContext,
  address: UpstreamAddress,
): void {
  const { scheme, serverName } = address;
  const to = formatUpstream(address);
  if (scheme !== 'dns' && scheme !== 'tls' && scheme !== 'https') {
    throw directive.error(
      'ARGUMENT_VALUE',
      `${scheme}:// upstreams are not supported, use a plain address, tls:// or https://`,
    );
  }
  if (serverName !== '' && template.tlsServerName !== '') {
    throw directive.error('OPTION_CONFLICT', `tls_servername and the name in ${to} exclude each other, keep one`);
  }
  const { port } = makeTarget(address, template);
  if (port === -1) {
    context.warn(`plugin/forward: ${to} in line ${directive.line} has no usable port, it will never answer`);
  }
}
