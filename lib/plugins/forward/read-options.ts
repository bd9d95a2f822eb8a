// lib/plugins/forward/read-options.ts — control thread. The options in the block of a `forward` -> Draft.
import fs from 'node:fs';
import path from 'node:path';
import { parseIpAddress, splitHostPort } from '../../base/ip-address.ts';
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive, Option, Token } from '../../config/directive.ts';
import { findNameFault, normalizeZone } from '../../config/zone-name.ts';
import { RCODE, parseRcode } from '../../wire/types.ts';
import type { ForwardZoneOptions } from './setup.ts';
import type { TargetTemplate } from './upstream-target.ts';

type Writable<T> = { -readonly [K in keyof T]: T[K] };
/** What the options say, defaults otherwise. */
export type Draft = Writable<
  Omit<ForwardZoneOptions, 'upstreams' | 'shared' | 'list' | 'loopLabel' | 'template' | 'failoverByDefault' | 'hedge'>
> & {
  readonly template: Writable<TargetTemplate>;
  hedge: boolean | undefined;
  resolvers: readonly string[];
};

const MAX_UINT32 = 0xffff_ffff;
/** Names that the table of wire/types.ts leaves out because their numbers have another name or no use here. */
const OTHER_RCODES: Readonly<Record<string, number>> = { DSOTYPENI: 11, BADSIG: 16 };

/** The defaults, which are CoreDNS's. */
export function makeDraft(from: string): Draft {
  return {
    from,
    except: [],
    policy: 'random',
    forceTcp: false,
    preferUdp: false,
    caseMixing: false,
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
    resolvers: [],
    template: {
      expireMs: 10_000,
      maxAgeMs: 0,
      maxIdleSockets: 0,
      sourceAddress: undefined,
      tls: {},
      tlsServerName: '',
      dohMethod: 'POST',
    },
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
  max_idle_conns: (option, draft) => void (draft.template.maxIdleSockets = readOne(option)),
  health_check: readHealthCheck,
  force_tcp: (option, draft) => void (draft.forceTcp = readSwitch(option)),
  prefer_udp: (option, draft) => void (draft.preferUdp = readSwitch(option)),
  case_mixing: (option, draft) => void (draft.caseMixing = readSwitch(option)),
  next_on_nodata: (option, draft) => void (draft.nextOnNodata = readSwitch(option)),
  failfast_all_unhealthy_upstreams: (option, draft) => void (draft.failfast = readSwitch(option)),
  tls: readTls,
  tls_servername(option, draft) {
    option.expectArguments(1);
    draft.template.tlsServerName = option.argument().text;
  },
  expire: (option, draft) => void (draft.template.expireMs = readDuration(option, 0)),
  max_age: (option, draft) => void (draft.template.maxAgeMs = readDuration(option, 0)),
  read_timeout: (option, draft) => void (draft.readTimeoutMs = readDuration(option, 1e-6)),
  doh_method(option, draft) {
    option.expectArguments(1);
    draft.template.dohMethod = option.parseWord(option.argument(), ['GET', 'POST']);
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
    draft.template.sourceAddress = address.text;
  },
};

/** @throws ConfigError `OPTION_UNKNOWN` and whatever is wrong with the option */
export function readOption(directive: Directive, option: Option, draft: Draft, context: SetupContext): void {
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
  if (files.length === 1) draft.template.tls = { ca: first! };
  else if (files.length > 1)
    draft.template.tls = { cert: first!, key: second!, ...(third === undefined ? {} : { ca: third }) };
  try {
    process.getBuiltinModule('node:tls').createSecureContext(draft.template.tls);
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
