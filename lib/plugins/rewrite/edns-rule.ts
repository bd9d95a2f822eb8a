// Reads `rewrite edns0 ...`. Control thread.
import type { Directive } from '../../config/directive.ts';
import { EDNS_OPTION } from '../../wire/types.ts';
import type { EdnsAction, EdnsRule } from './rules.ts';

const KINDS = ['local', 'nsid', 'subnet'] as const;
const ACTIONS = ['set', 'append', 'replace', 'unset'] as const;
const MAX_CODE = 65_535;
const IPV4_BITS = 32;
const IPV6_BITS = 128;
const NOTHING = new Uint8Array(0);

/** Values that an option can take from the query. Another name must be a metadata label. */
const VARIABLES: ReadonlySet<string> = new Set([
  'qname', 'qtype', 'client_ip', 'client_port', 'protocol', 'server_ip', 'server_port',
]); // biome-ignore format: a list

/**
 * `local set|append|replace CODE DATA|0xHEX|{VARIABLE} [revert]`, `local unset CODE`, `nsid ACTION [revert]`,
 * `subnet set|append|replace IPV4BITS IPV6BITS [revert]`, `subnet unset`.
 *
 * @throws ConfigError `ARGUMENT_COUNT`, `ARGUMENT_VALUE`
 */
export function readEdnsRule(directive: Directive, words: readonly string[]): EdnsRule {
  if (words.length < 2) throw directive.error('ARGUMENT_COUNT', 'edns0: takes at least 2 arguments, KIND and ACTION');
  const kind = directive.parseWord(words[0]!.toLowerCase(), KINDS);
  const action = directive.parseWord(words[1]!.toLowerCase(), ACTIONS);
  const isUnset = action === 'unset';
  const revert = !isUnset && words.at(-1) === 'revert';
  const rest = words.slice(2, revert ? -1 : undefined);
  const wanted = kind === 'nsid' ? 0 : isUnset ? (kind === 'local' ? 1 : 0) : 2;
  if (rest.length !== wanted) {
    const message = `edns0 ${kind} ${action}: takes ${wanted || 'no'} arguments, has ${rest.length}`;
    throw directive.error('ARGUMENT_COUNT', message);
  }
  const base = { field: 'edns0', action, revert } as const;
  if (kind === 'local') return readLocal(directive, base, rest);
  if (kind === 'nsid') return { ...base, code: EDNS_OPTION.NSID, data: { kind: 'bytes', bytes: NOTHING } };
  const data = {
    kind: 'subnet',
    ipv4Bits: isUnset ? 0 : readNumber(directive, rest[0]!, IPV4_BITS),
    ipv6Bits: isUnset ? 0 : readNumber(directive, rest[1]!, IPV6_BITS),
  } as const;
  return { ...base, code: EDNS_OPTION.CLIENT_SUBNET, data };
}

function readLocal(
  directive: Directive,
  base: { readonly field: 'edns0'; readonly action: EdnsAction; readonly revert: boolean },
  [code, text = '']: readonly string[],
): EdnsRule {
  const rule = { ...base, code: readNumber(directive, code!, MAX_CODE) };
  const variable = /^\{(.*)\}$/s.exec(text)?.[1];
  if (variable !== undefined) {
    if (!VARIABLES.has(variable) && !/^[^/]+\/./.test(variable)) {
      throw directive.valueError(text, `one of {${[...VARIABLES].join('}, {')}} or a metadata label`);
    }
    return { ...rule, data: { kind: 'variable', name: variable } };
  }
  if (!text.startsWith('0x')) return { ...rule, data: { kind: 'bytes', bytes: new TextEncoder().encode(text) } };
  const digits = text.slice(2);
  if (digits.length % 2 === 1 || !/^[0-9a-fA-F]*$/.test(digits)) {
    throw directive.valueError(text, 'pairs of hexadecimal digits after 0x');
  }
  return { ...rule, data: { kind: 'bytes', bytes: Uint8Array.from(Buffer.from(digits, 'hex')) } };
}

/** A number as Go writes them: decimal, 0x, 0o, 0b. */
function readNumber(directive: Directive, word: string, max: number): number {
  const isNumber = /^(?:0|[1-9]\d*|0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0[bB][01]+)$/.test(word);
  const value = /^0[0-7]+$/.test(word) ? Number.parseInt(word, 8) : Number(word);
  if (!isNumber || value > max) throw directive.valueError(word, `a number from 0 to ${max}`);
  return value;
}
