// Directive `acl` -> rules: which clients may ask what. Control thread.
import { parseIpPrefix } from '../../base/ip-address.ts';
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive, Option, Token } from '../../config/directive.ts';
import { parseType } from '../../wire/types.ts';
import { declareAclCells, type AclCells } from './metrics.ts';

const ACTIONS = ['allow', 'block', 'filter', 'drop'] as const;
export type AclAction = (typeof ACTIONS)[number];

/** An address range as plain data. */
export type AclPrefix = { readonly bytes: Uint8Array; readonly length: number };

export type AclPolicy = {
  readonly action: AclAction;
  /** Undefined: all types. */
  readonly types: readonly number[] | undefined;
  /** Undefined: all clients. */
  readonly prefixes: readonly AclPrefix[] | undefined;
};

/** One directive: for names in `zones` the first policy that matches decides. */
export type AclRule = {
  readonly zones: readonly string[];
  readonly policies: readonly AclPolicy[];
  /** By `server * zones.length + zone`. */
  readonly cells: readonly AclCells[];
};

export type AclOptions = {
  readonly rules: readonly AclRule[];
  /** Whether some rule is about a part of the server block's names: an alias may lead into it from outside. */
  readonly isForSomeNames: boolean;
  /** Counter of allowed queries, by server. */
  readonly allowedCells: readonly number[];
};

/**
 * Reads `acl [ZONE..] { ACTION [type QTYPE..|*] [net CIDR|ADDRESS..|*] }`, any number of them.
 *
 * @throws ConfigError `OPTION_UNKNOWN` for another action; `ARGUMENT_VALUE`, `ARGUMENT_COUNT` for types and networks
 */
export function setupAcl(directives: readonly Directive[], context: SetupContext): AclOptions {
  const { metrics, servers, view } = context;
  const rules = directives.map((directive): AclRule => {
    const zones = directive.parseZones(directive.args, context.zones);
    const policies = directive.options().map((option) => readPolicy(directive, option));
    return { zones, policies, cells: declareAclCells(metrics, servers, zones, view) };
  });
  const allowedCells = servers.map((server) =>
    metrics.counter('coredns_acl_allowed_requests_total', 'Queries that passed all rules.', { server, view }),
  );
  const isForSomeNames = rules.some((rule) => !context.zones.every((zone) => isCovered(zone, rule.zones)));
  return { rules, isForSomeNames, allowedCells };
}

/** Whether every name of `zone` is in one of `zones`. */
function isCovered(zone: string, zones: readonly string[]): boolean {
  return zones.some((other) => other === '.' || zone === other || zone.endsWith(`.${other}`));
}

function readPolicy(directive: Directive, option: Option): AclPolicy {
  const action = ACTIONS.find((name) => name === option.name.toLowerCase());
  if (action === undefined) throw directive.unknownOption(option, ACTIONS);
  let types: number[] | undefined;
  let prefixes: AclPrefix[] | undefined;
  let allTypes = false;
  let allClients = false;
  for (let at = 0; at < option.args.length; ) {
    const section = option.args[at]!;
    const kind = option.parseWord(section.text.toLowerCase(), ['type', 'net']);
    let end = at + 1;
    while (end < option.args.length && !isSection(option.args[end]!)) end++;
    const words = option.args.slice(at + 1, end);
    if (words.length === 0)
      throw option.error('ARGUMENT_COUNT', `${option.name}: nothing follows "${section.text}"`, section.line);
    // CoreDNS reads no further than `*`; a later section of the same kind adds to the earlier one.
    const star = words.findIndex((word) => word.text === '*');
    const named = star === -1 ? words : words.slice(0, star);
    if (kind === 'type') {
      allTypes ||= star !== -1;
      types = [...(types ?? []), ...named.map((word) => readType(option, word))];
    } else {
      allClients ||= star !== -1;
      prefixes = [...(prefixes ?? []), ...named.map((word) => readPrefix(option, word))];
    }
    at = end;
  }
  return { action, types: allTypes ? undefined : types, prefixes: allClients ? undefined : prefixes };
}

function isSection(word: Token): boolean {
  const text = word.text.toLowerCase();
  return text === 'type' || text === 'net';
}

function readType(option: Option, word: Token): number {
  const type = parseType(word.text);
  if (type === undefined || word.text !== word.text.toUpperCase()) {
    throw option.valueError(word, 'a record type in capital letters (A, AAAA, ANY)');
  }
  return type;
}

function readPrefix(option: Option, word: Token): AclPrefix {
  const { text } = word;
  const prefix = parseIpPrefix(text.includes('/') ? text : `${text}/${text.includes(':') ? 128 : 32}`);
  if (prefix === undefined) throw option.valueError(word, 'an address or a range (10.0.0.0/8, 2001:db8::/32)');
  return { bytes: prefix.bytes, length: prefix.length };
}
