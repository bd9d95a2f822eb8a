// lib/plugins/forward/setup.ts — control thread. Directives `forward` of one block -> ForwardOptions.
import fs from 'node:fs';
import path from 'node:path';
import tls from 'node:tls';
import { parseIpAddress, splitHostPort } from '../../base/ip-address.ts';
import type { SetupContext, UpstreamTarget } from '../../chain/plugin.ts';
import type { Directive, Option, Token } from '../../config/directive.ts';
import { findNameFault, normalizeZone } from '../../config/zone-name.ts';
import { RCODE, parseRcode } from '../../wire/types.ts';
import { type ForwardCells, type UpstreamCells, declareForwardMetrics, declareUpstreamMetrics } from './metrics.ts';
import { resolveHost } from './resolve-host.ts';
import { MAX_UPSTREAMS, createSharedState } from './shared-state.ts';
import { type UpstreamAddress, type UpstreamWord, formatUpstream, parseUpstream } from './upstream-address.ts';

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
  readonly readTimeoutMs: number;
  readonly maxFails: number;
  /** 0: no limit but the time. */
  readonly maxConnectAttempts: number;
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
  /** Numbers that the workers share. */
  readonly shared: SharedArrayBuffer;
};

/** What a worker needs to run the `forward` directives of a block, in their order. */
export type ForwardOptions = { readonly forwards: readonly ForwardZoneOptions[]; readonly cells: ForwardCells };

type Writable<T> = { -readonly [K in keyof T]: T[K] };
type Draft = Writable<
  Omit<ForwardZoneOptions, 'upstreams' | 'shared' | 'maxConnectAttempts' | 'failoverByDefault' | 'hedge'>
> & {
  maxConnectAttempts: number | undefined;
  hedge: boolean | undefined;
  expireMs: number;
  maxAgeMs: number;
  maxIdleSockets: number;
  resolvers: readonly string[];
  sourceAddress: string | undefined;
  tls: { ca?: string; cert?: string; key?: string };
  tlsServerName: string;
};

const MAX_TO = 15;
const MAX_UINT32 = 0xffff_ffff;
/** Names that the table of wire/types.ts leaves out because their numbers have another name or no use here. */
const OTHER_RCODES: Readonly<Record<string, number>> = { DSOTYPENI: 11, BADSIG: 16 };

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
  if (draft.maxAgeMs > 0 && draft.maxAgeMs < draft.expireMs) {
    throw directive.error('OPTION_CONFLICT', 'max_age must not be less than expire');
  }
  const words = directive.args.slice(1).map((token) => readTo(directive, token));
  if (words.filter(({ word }) => word.kind === 'host' || word.addresses.length > 0).length > MAX_TO) {
    throw directive.error('ARGUMENT_COUNT', `takes at most ${MAX_TO} upstreams, has ${words.length}`);
  }
  if (words.every(({ word }) => word.kind === 'addresses')) {
    return finish(
      directive,
      draft,
      context,
      words.flatMap(({ word }) => (word.kind === 'addresses' ? word.addresses : [])),
    );
  }
  return Promise.all(words.map(({ word, token }) => expand(directive, token, word, draft.resolvers))).then(
    (addresses) => finish(directive, draft, context, addresses.flat()),
  );
}

function makeDraft(from: string): Draft {
  return {
    from,
    except: [],
    policy: 'random',
    forceTcp: false,
    preferUdp: false,
    readTimeoutMs: 2000,
    maxFails: 2,
    maxConnectAttempts: undefined,
    maxConcurrent: 0,
    healthIntervalMs: 500,
    healthDomain: '.',
    healthRecursion: true,
    next: [],
    nextOnNodata: false,
    failover: [],
    failfast: false,
    hedge: undefined,
    clientRate: 0,
    expireMs: 10_000,
    maxAgeMs: 0,
    maxIdleSockets: 0,
    resolvers: [],
    sourceAddress: undefined,
    tls: {},
    tlsServerName: '',
  };
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
  addresses: readonly UpstreamAddress[],
): ForwardZoneOptions {
  const byTo = new Map<string, UpstreamAddress>();
  for (const address of addresses) {
    const to = formatUpstream(address);
    if (!byTo.has(to)) byTo.set(to, address);
  }
  if (byTo.size === 0) throw directive.error('ARGUMENT_VALUE', 'no upstream: the files named have no nameserver line');
  if (byTo.size > MAX_UPSTREAMS) {
    throw directive.error('ARGUMENT_COUNT', `has ${byTo.size} upstreams, at most ${MAX_UPSTREAMS} are possible`);
  }
  const { maxConnectAttempts } = draft;
  const upstreams = [...byTo].map(([to, address], slot) => ({
    to,
    target: makeTarget(directive, draft, context, address),
    cells: declareUpstreamMetrics(context.metrics, to),
    slot,
  }));
  // Whoever writes `sequential` wants the first and nobody else as long as it says anything.
  const isFree = draft.policy !== 'sequential';
  const { expireMs: _e, maxAgeMs: _a, maxIdleSockets: _i, resolvers: _r, sourceAddress: _s, ...rest } = draft;
  const { tls: _t, tlsServerName: _n, ...options } = rest;
  return {
    ...options,
    hedge: draft.hedge ?? isFree,
    failoverByDefault: isFree,
    upstreams,
    maxConnectAttempts: maxConnectAttempts ?? 2 * upstreams.length,
    shared: createSharedState(),
  };
}

function makeTarget(
  directive: Directive,
  draft: Draft,
  context: SetupContext,
  address: UpstreamAddress,
): UpstreamTarget {
  const { scheme, host, serverName } = address;
  const to = formatUpstream(address);
  if (scheme !== 'dns' && scheme !== 'tls') {
    throw directive.error('ARGUMENT_VALUE', `${scheme}:// upstreams are not supported, use a plain address or tls://`);
  }
  if (serverName !== '' && draft.tlsServerName !== '') {
    throw directive.error('OPTION_CONFLICT', `tls_servername and the name in ${to} exclude each other, keep one`);
  }
  const port = /^\d{1,5}$/.test(address.port) ? Number(address.port) : address.port === 'domain' ? 53 : -1;
  if (port < 0 || port > 65_535) {
    context.warn(`plugin/forward: ${to} in line ${directive.line} has no usable port, it will never answer`);
  }
  return {
    address: host,
    port: port > 65_535 ? -1 : port,
    ...(scheme === 'tls' ? { tls: { serverName: serverName || draft.tlsServerName, ...draft.tls } } : {}),
    ...(draft.sourceAddress === undefined ? {} : { sourceAddress: draft.sourceAddress }),
    expireMs: draft.expireMs,
    maxAgeMs: draft.maxAgeMs,
    maxIdleSockets: draft.maxIdleSockets,
  };
}

/** Readers of the options, by name. */
const OPTION_READERS: Readonly<Record<string, (option: Option, draft: Draft, context: SetupContext) => void>> = {
  except(option, draft) {
    option.expectArguments(1, Number.POSITIVE_INFINITY);
    draft.except = [...draft.except, ...option.parseZones(option.args)];
  },
  max_fails: (option, draft) => void (draft.maxFails = readOne(option, MAX_UINT32)),
  max_connect_attempts: (option, draft) => void (draft.maxConnectAttempts = readOne(option, MAX_UINT32)),
  max_concurrent: (option, draft) => void (draft.maxConcurrent = readOne(option)),
  max_idle_conns: (option, draft) => void (draft.maxIdleSockets = readOne(option)),
  health_check: readHealthCheck,
  force_tcp: (option, draft) => void (draft.forceTcp = readSwitch(option)),
  prefer_udp: (option, draft) => void (draft.preferUdp = readSwitch(option)),
  next_on_nodata: (option, draft) => void (draft.nextOnNodata = readSwitch(option)),
  failfast_all_unhealthy_upstreams: (option, draft) => void (draft.failfast = readSwitch(option)),
  tls: readTls,
  tls_servername(option, draft) {
    option.expectArguments(1);
    draft.tlsServerName = option.argument().text;
  },
  expire: (option, draft) => void (draft.expireMs = readDuration(option, 0)),
  max_age: (option, draft) => void (draft.maxAgeMs = readDuration(option, 0)),
  read_timeout: (option, draft) => void (draft.readTimeoutMs = readDuration(option, 1e-6)),
  doh_method(option) {
    option.expectArguments(1);
    option.parseWord(option.argument(), ['GET', 'POST']);
  },
  policy(option, draft) {
    option.expectArguments(1);
    draft.policy = option.parseWord(option.argument(), ['random', 'round_robin', 'sequential']);
  },
  hedge(option, draft) {
    option.expectArguments(1);
    draft.hedge = option.parseWord(option.argument(), ['on', 'off']) === 'on';
  },
  client_rate: (option, draft) => void (draft.clientRate = readOne(option)),
  next: (option, draft) => void (draft.next = [...draft.next, ...readRcodes(option)]),
  failover(option, draft) {
    const rcodes = readRcodes(option);
    if (rcodes.includes(RCODE.NOERROR)) throw option.error('ARGUMENT_VALUE', 'failover: NOERROR is not a failure');
    draft.failover = [...draft.failover, ...rcodes];
  },
  resolver(option, draft) {
    option.expectArguments(1, Number.POSITIVE_INFINITY);
    for (const token of option.args) {
      if (!parseIpAddress(splitHostPort(token.text)?.host ?? token.text)) {
        throw option.valueError(token, 'an IP address, with or without a port');
      }
    }
    draft.resolvers = option.values;
  },
  source_address(option, draft) {
    option.expectArguments(1);
    const address = option.argument();
    if (!parseIpAddress(address.text)) throw option.valueError(address, 'an IP address');
    draft.sourceAddress = address.text;
  },
};

function readOption(directive: Directive, option: Option, draft: Draft, context: SetupContext): void {
  const read = Object.hasOwn(OPTION_READERS, option.name) ? OPTION_READERS[option.name] : undefined;
  if (!read) throw directive.unknownOption(option, Object.keys(OPTION_READERS));
  read(option, draft, context);
}

function readOne(option: Option, max?: number): number {
  option.expectArguments(1);
  return option.parseInteger(option.argument(), max === undefined ? { min: 0 } : { min: 0, max });
}

function readSwitch(option: Option): true {
  option.expectArguments(0);
  return true;
}

function readDuration(option: Option, min: number): number {
  option.expectArguments(1);
  return option.parseDuration(option.argument(), { min });
}

function readRcodes(option: Option): number[] {
  option.expectArguments(1, Number.POSITIVE_INFINITY);
  return option.args.map((token) => {
    const rcode = parseRcode(token.text) ?? OTHER_RCODES[token.text.toUpperCase()];
    if (rcode === undefined) throw option.valueError(token, 'a response code (SERVFAIL, NXDOMAIN, ...)');
    return rcode;
  });
}

/** `health_check DURATION [no_rec] [domain FQDN]` */
function readHealthCheck(option: Option, draft: Draft): void {
  option.expectArguments(1, Number.POSITIVE_INFINITY);
  draft.healthIntervalMs = option.parseDuration(option.argument(), { min: 0 });
  draft.healthDomain = '.';
  for (let i = 1; i < option.args.length; i++) {
    if (option.parseWord(option.argument(i), ['no_rec', 'domain']) === 'no_rec') {
      draft.healthRecursion = false;
      continue;
    }
    const name = option.argument(++i);
    if (findNameFault(name.text) !== undefined) throw option.valueError(name, 'a domain name');
    draft.healthDomain = normalizeZone(name.text);
  }
}

/** `tls [CERT KEY] [CA]`: the files' contents go to the workers, which may not be able to read them. */
function readTls(option: Option, draft: Draft, context: SetupContext): void {
  option.expectArguments(0, 3);
  const files = option.args.map((token) => readPem(option, token, context.root));
  const [first, second, third] = files;
  if (files.length === 1) draft.tls = { ca: first! };
  else if (files.length > 1) draft.tls = { cert: first!, key: second!, ...(third === undefined ? {} : { ca: third }) };
  try {
    tls.createSecureContext(draft.tls);
  } catch (error) {
    throw option.error(
      'FILE',
      `tls: the files cannot be used: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

function readPem(option: Option, token: Token, root: string): string {
  try {
    return fs.readFileSync(path.resolve(root, token.text), 'utf8');
  } catch (error) {
    throw option.error(
      'FILE',
      `tls: cannot read ${token.text}: ${(error as NodeJS.ErrnoException).code ?? 'error'}`,
      token.line,
    );
  }
}
