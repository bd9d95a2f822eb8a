// Zone names as server block keys and plugin arguments write them: `example.org`, `dns://example.org:53`, `10.0.0.0/24`.
// Control thread.
import { parseIpPrefix } from '../base/ip-address.ts';
import { toReverseZones } from './reverse-zone.ts';
import { SCHEMES, type Scheme } from './server-block.ts';

/** Longest accepted text of a key without scheme and port. */
const MAX_TEXT_LENGTH = 255;
const MAX_LABEL_LENGTH = 63;
/** Wire length with the root label, plus one: the bound CoreDNS applies. */
const MAX_WIRE_LENGTH = 256;

/** The parts of a key. `zones` are absolute and in lower case; `port` is undefined when none was written. */
export type ZoneParts = {
  readonly scheme: Scheme;
  readonly zones: readonly string[];
  readonly port: number | undefined;
};

/** Why a text is not a key; completes `key "x": `. */
export type ZoneFault = { readonly fault: string };

/**
 * Takes a key apart: `[scheme://]ZONE[:PORT]`. An unknown scheme stays part of the name; what follows the last colon
 * is the port only when it is an integer; an address with a prefix length becomes its reverse zones.
 */
export function splitZone(text: string): ZoneParts | ZoneFault {
  const scheme = SCHEMES.find((name) => text.startsWith(`${name}://`));
  let name = scheme === undefined ? text : text.slice(scheme.length + 3);
  const colon = name.lastIndexOf(':');
  if (colon !== -1 && colon === name.length - 1) return { fault: 'a port must follow the last colon' };
  if (name === '') return { fault: 'there is no zone name' };
  let port: number | undefined;
  const portText = colon === -1 ? '' : name.slice(colon + 1);
  if (/^[+-]?\d+$/.test(portText) && Number.isSafeInteger(Number(portText))) {
    port = Number(portText);
    name = name.slice(0, colon);
  }
  if (Buffer.byteLength(name) > MAX_TEXT_LENGTH) return { fault: `the zone is longer than ${MAX_TEXT_LENGTH} octets` };
  const fault = findNameFault(name) ?? findNameFault(toAbsolute(name));
  if (fault !== undefined) return { fault };
  const prefix = parseIpPrefix(name);
  if (prefix === undefined) return { scheme: scheme ?? 'dns', zones: [normalizeZone(name)], port };
  if (name.startsWith(':') || (name.startsWith('0') && name.includes(':'))) {
    return { fault: 'an IPv6 prefix that starts with ":" or "0" cannot be a zone, write its ip6.arpa name' };
  }
  return { scheme: scheme ?? 'dns', zones: toReverseZones(prefix), port };
}

/** The zones a plugin argument stands for, scheme and port ignored; undefined when it is not a zone. */
export function parseZone(text: string): readonly string[] | undefined {
  const parts = splitZone(text);
  return 'zones' in parts ? parts.zones : undefined;
}

/** Absolute and in lower case. */
export function normalizeZone(name: string): string {
  return toAbsolute(name).toLowerCase();
}

/** Appends the final dot unless there is one that no backslash escapes. */
export function toAbsolute(name: string): string {
  const backslashes = /(\\*)\.$/.exec(name);
  return backslashes !== null && backslashes[1]!.length % 2 === 0 ? name : `${name}.`;
}

/**
 * What keeps a text from being a domain name: an empty label, a label over 63 octets, more than 255 in all.
 * Octets are UTF-8; `\.` and `\DDD` count as one.
 */
export function findNameFault(name: string): string | undefined {
  if (name === '') return 'there is no zone name';
  const absolute = toAbsolute(name);
  if (absolute === '.') return undefined;
  let wireLength = 0;
  let labelLength = 0;
  for (let at = 0; at < absolute.length; at++) {
    const char = absolute[at]!;
    if (char === '.') {
      if (labelLength === 0) return 'the zone has an empty label';
      if (labelLength > MAX_LABEL_LENGTH) return `the zone has a label of more than ${MAX_LABEL_LENGTH} octets`;
      wireLength += labelLength + 1;
      if (wireLength > MAX_WIRE_LENGTH) return `the zone is longer than ${MAX_WIRE_LENGTH - 1} octets`;
      labelLength = 0;
      continue;
    }
    if (char === '\\') {
      at += /^\d{3}/.test(absolute.slice(at + 1, at + 4)) ? 3 : 1;
      labelLength++;
      continue;
    }
    const codePoint = absolute.codePointAt(at)!;
    labelLength += codePoint < 0x80 ? 1 : codePoint < 0x800 ? 2 : codePoint < 0x10000 ? 3 : 4;
    if (codePoint > 0xffff) at++;
  }
  return undefined;
}

/**
 * Whether a zone follows the preferred name syntax of RFC 1035 section 2.3.1: labels of letters, digits and hyphens that
 * start with a letter and end with a letter or digit. The root and reverse zones count as following it.
 */
export function isPreferredSyntax(zone: string): boolean {
  if (zone === '.' || isReverseZone(zone)) return true;
  const labels = zone.endsWith('.') ? zone.slice(0, -1).split('.') : zone.split('.');
  return labels.every((label) => /^[a-z](?:[a-z0-9-]*[a-z0-9])?$/i.test(label));
}

/** Whether a zone lies in one of the two reverse trees. */
export function isReverseZone(zone: string): boolean {
  return /(?:^|\.)(?:in-addr|ip6)\.arpa\.$/.test(zone);
}
