// Careful access to decoded JSON or YAML of unknown shape: a missing or null field is absent, a wrong type is a problem. Control thread.
import { isIpv4, parseIpv6 } from '../../../base/ip-address.ts';
import type { ProblemCollector } from './problem.ts';

export type RawObject = { readonly [field: string]: unknown };

const EMPTY: RawObject = Object.freeze({});
const EMPTY_LIST: readonly unknown[] = Object.freeze([]);

export function isRawObject(value: unknown): value is RawObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The object at `field`, or an empty one. `path` names the field in a problem. */
export function readObject(raw: RawObject, field: string, path: string, problems: ProblemCollector): RawObject {
  const value = raw[field];
  if (isRawObject(value)) return value;
  if (value !== undefined && value !== null) problems.add(path, 'not an object', value);
  return EMPTY;
}

/** The list at `field`, or an empty one. */
export function readList(raw: RawObject, field: string, path: string, problems: ProblemCollector): readonly unknown[] {
  const value = raw[field];
  if (Array.isArray(value)) return value;
  if (value !== undefined && value !== null) problems.add(path, 'not a list', value);
  return EMPTY_LIST;
}

/** The text at `field`, or ''. */
export function readText(raw: RawObject, field: string, path: string, problems: ProblemCollector): string {
  const value = raw[field];
  if (typeof value === 'string') return value;
  if (value !== undefined && value !== null) problems.add(path, 'not a text', value);
  return '';
}

/** The port number (0 to 65535) at `field`, or -1 when there is none; -2 after a problem. */
export function readPort(raw: RawObject, field: string, path: string, problems: ProblemCollector): number {
  const value = raw[field];
  if (value === undefined || value === null) return -1;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 65_535) return value;
  problems.add(path, 'not a port number', value);
  return -2;
}

/** Whether the text is an IPv4 or IPv6 address: 4, 6, or 0 when it is neither (an IPv6 zone is not accepted). */
export function addressFamily(text: string): 0 | 4 | 6 {
  if (!text.includes(':')) return isIpv4(text) ? 4 : 0;
  return parseIpv6(text) === undefined ? 0 : 6;
}

/** Whether the text can be one label of a DNS name: 1 to 63 bytes without a dot. */
export function isLabel(text: string): boolean {
  if (text.length === 0 || text.length > 63 || text.includes('.')) return false;
  return Buffer.byteLength(text) <= 63;
}
