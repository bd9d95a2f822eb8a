// Directive `etcd` -> a source that follows an etcd, and how to answer from what it holds. Control thread.
import fs from 'node:fs';
import path from 'node:path';
import { createSecureContext } from 'node:tls';
import { expectOnce } from '../../chain/expect-once.ts';
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive, Option } from '../../config/directive.ts';

const OPTIONS = ['fallthrough', 'path', 'endpoint', 'credentials', 'tls', 'min-lease-ttl', 'max-lease-ttl'] as const;
/** Read over, as CoreDNS does. */
const WITHOUT_EFFECT: readonly string[] = ['upstream', 'stubzones', 'debug'];
const DEFAULT_ENDPOINT = 'http://localhost:2379';
const DEFAULT_MIN_LEASE_SECONDS = 30;
const DEFAULT_MAX_LEASE_SECONDS = 86_400;
const MAX_TTL_SECONDS = 2 ** 31 - 1;

/** What a worker needs; plain data. */
export type EtcdOptions = {
  readonly tree: number;
  readonly zones: readonly string[];
  /** Missing names in these zones go to the next plugin. */
  readonly fallthrough: readonly string[];
};

type Tls = { ca?: string; cert?: string; key?: string };
type Draft = {
  fallthrough: readonly string[];
  prefix: string;
  endpoints: readonly string[];
  user?: { readonly name: string; readonly password: string };
  tls?: Tls;
  minLeaseTtlSeconds: number;
  maxLeaseTtlSeconds: number;
};

/**
 * Reads `etcd [ZONE..] { fallthrough [ZONE..] ; path PATH ; endpoint URL.. ; credentials USER PASSWORD ; tls [CERT KEY] [CA] ;
 * min-lease-ttl D ; max-lease-ttl D }`.
 *
 * @throws ConfigError `DIRECTIVE_REPEATED`, `ARGUMENT_COUNT`, `ARGUMENT_VALUE`, `OPTION_UNKNOWN`, `FILE`
 */
export function setupEtcd(directives: readonly Directive[], context: SetupContext): EtcdOptions {
  const directive = expectOnce(directives);
  const zones = directive.parseZones(directive.args, context.zones);
  const draft: Draft = {
    fallthrough: [],
    prefix: '/skydns/',
    endpoints: [DEFAULT_ENDPOINT],
    minLeaseTtlSeconds: DEFAULT_MIN_LEASE_SECONDS,
    maxLeaseTtlSeconds: DEFAULT_MAX_LEASE_SECONDS,
  };
  for (const option of directive.options()) readOption(directive, option, draft, context.root);
  const { fallthrough, prefix, endpoints, user, tls, minLeaseTtlSeconds, maxLeaseTtlSeconds } = draft;
  // The form of `EtcdSourceOptions` in lib/sources/etcd/source.ts.
  const options = {
    access: { endpoints, ...(user === undefined ? {} : { user }), ...(tls === undefined ? {} : { tls }) },
    prefix,
    zones,
    minLeaseTtlSeconds,
    maxLeaseTtlSeconds,
  };
  return { tree: context.addSource({ kind: 'etcd', key: JSON.stringify(options), options }), zones, fallthrough };
}

function readOption(directive: Directive, option: Option, draft: Draft, root: string): void {
  switch (option.name) {
    case 'fallthrough':
      draft.fallthrough = option.args.length === 0 ? ['.'] : option.parseZones(option.args);
      break;
    case 'path': {
      const text = option.argument().text.replace(/^\/+|\/+$/g, '');
      draft.prefix = text === '' ? '/' : `/${text}/`;
      break;
    }
    case 'endpoint':
      option.expectArguments(1, Number.POSITIVE_INFINITY);
      draft.endpoints = option.args.map((_word, i) => parseEndpoint(option, i));
      break;
    case 'credentials':
      option.expectArguments(2);
      draft.user = { name: option.argument(0).text, password: option.argument(1).text };
      break;
    case 'tls':
      draft.tls = readTls(option, root);
      break;
    case 'min-lease-ttl':
      draft.minLeaseTtlSeconds = readSeconds(option);
      break;
    case 'max-lease-ttl':
      draft.maxLeaseTtlSeconds = readSeconds(option);
      break;
    default:
      if (!WITHOUT_EFFECT.includes(option.name)) throw directive.unknownOption(option, OPTIONS);
  }
}

/** `http://HOST:PORT`, `https://...`; an address alone is taken as http, as etcd's own client does. */
function parseEndpoint(option: Option, index: number): string {
  const word = option.argument(index);
  const text = /^[a-z]+:\/\//.test(word.text) ? word.text : `http://${word.text}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol) || url.hostname === '') {
    throw option.valueError(word, 'a URL (http://10.0.0.1:2379, https://etcd.example.org:2379)');
  }
  return url.port === '' && !/:\d+\/*$/.test(text) ? `${url.protocol}//${url.hostname}:2379` : url.origin;
}

function readSeconds(option: Option): number {
  option.expectArguments(1);
  const { text, line, file } = option.argument();
  const withUnit = /^\d+$/.test(text) ? `${text}s` : text;
  const ms = option.parseDuration({ text: withUnit, line, file }, { min: 0, max: MAX_TTL_SECONDS * 1000 });
  return Math.floor(ms / 1000);
}

/** One file is a CA, two are certificate and key, three are both. */
function readTls(option: Option, root: string): Tls {
  option.expectArguments(0, 3);
  const files = option.args.map(({ text }) => {
    try {
      return fs.readFileSync(path.resolve(root, text), 'utf8');
    } catch (error) {
      throw option.error('FILE', `tls: cannot read ${text}: ${(error as Error).message}`);
    }
  });
  const [first, second, third] = files;
  const tls: Tls = {};
  if (files.length === 1) tls.ca = first!;
  if (files.length > 1) Object.assign(tls, { cert: first, key: second });
  if (third !== undefined) tls.ca = third;
  try {
    createSecureContext(tls);
  } catch (error) {
    throw option.error('FILE', `tls: the files cannot be used: ${(error as Error).message}`);
  }
  return tls;
}
