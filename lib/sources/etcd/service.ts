// The JSON of a SkyDNS service in etcd, and the name that its key stands for. Control thread.
import { parseIpAddress, unmapIpv4 } from '../../base/ip-address.ts';
import { SERVICE_KIND } from '../../chain/service-record.ts';
import { MAX_NAME_LENGTH, parseName, parseNameLower } from '../../wire/name.ts';

/** A service as it stands in etcd, checked. */
export type Service = {
  readonly kind: number;
  /** Address bytes, or an absolute name in wire form; empty for a text without a host. */
  readonly host: Uint8Array;
  readonly port: number;
  readonly priority: number;
  /** 0: not given. */
  readonly weight: number;
  readonly text: Uint8Array;
  readonly mail: boolean;
  /** 0: not given. */
  readonly ttlSeconds: number;
  /** How many labels of the target are left out. */
  readonly targetStrip: number;
  readonly group: string;
  /** Id of the lease that keeps the key, '0' without one. */
  readonly lease: string;
};

const DEFAULT_PRIORITY = 10;
const MAX_SHORT = 65_535;
const MAX_TTL = 2 ** 31 - 1;
/** So that one record fits a message. */
const MAX_TEXT_BYTES = 32_768;

/**
 * Reads the value of a key.
 *
 * @returns undefined when there is neither a host nor a text
 * @throws Error that says what is wrong with it
 */
export function parseService(value: Uint8Array, lease: string): Service | undefined {
  const json: unknown = JSON.parse(Buffer.from(value).toString('utf8'));
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw new Error('the value is no JSON object');
  const fields = json as Readonly<Record<string, unknown>>;
  const host = textOf(fields, 'host');
  const text = Buffer.from(textOf(fields, 'text'), 'utf8');
  if (text.length > MAX_TEXT_BYTES) throw new Error(`text has more than ${MAX_TEXT_BYTES} bytes`);
  if (host === '' && text.length === 0) return undefined;
  return {
    ...readHost(host, text.length > 0),
    port: numberOf(fields, 'port', MAX_SHORT),
    priority: numberOf(fields, 'priority', MAX_SHORT) || DEFAULT_PRIORITY,
    weight: numberOf(fields, 'weight', MAX_SHORT),
    text: new Uint8Array(text),
    mail: fields.mail === true,
    ttlSeconds: numberOf(fields, 'ttl', MAX_TTL),
    targetStrip: numberOf(fields, 'targetstrip', MAX_SHORT),
    group: textOf(fields, 'group'),
    lease,
  };
}

function readHost(host: string, hasText: boolean): Pick<Service, 'kind' | 'host'> {
  const address = parseIpAddress(host);
  if (address !== undefined && address.zone === '') {
    const bytes = unmapIpv4(address.bytes);
    return { kind: bytes.length === 4 ? SERVICE_KIND.IPV4 : SERVICE_KIND.IPV6, host: bytes };
  }
  if (host === '') return { kind: SERVICE_KIND.TEXT, host: new Uint8Array(0) };
  const name = parseName(host);
  if (name === undefined) throw new Error(`host ${JSON.stringify(host.slice(0, 80))} is neither an address nor a name`);
  return { kind: hasText ? SERVICE_KIND.TEXT : SERVICE_KIND.NAME, host: name };
}

function textOf(fields: Readonly<Record<string, unknown>>, name: string): string {
  const value = fields[name] ?? '';
  if (typeof value !== 'string') throw new Error(`${name} is no text`);
  return value;
}

function numberOf(fields: Readonly<Record<string, unknown>>, name: string, max: number): number {
  const value = fields[name] ?? 0;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > max) {
    throw new Error(`${name} is no number from 0 to ${max}`);
  }
  return value;
}

/**
 * Labels of the name that a key stands for, the leftmost first: `/skydns/local/skydns/x` is `x.skydns.local`.
 *
 * @param prefix the key's beginning, with a slash at its end
 * @returns undefined when no name can lead to the key: a segment is no label, or the name is too long
 */
export function labelsOfKey(key: string, prefix: string): readonly string[] | undefined {
  if (!key.startsWith(prefix)) return undefined;
  const labels = key
    .slice(prefix.length)
    .split('/')
    .filter((segment) => segment !== '')
    .reverse()
    .map((segment) => segment.toLowerCase());
  if (labels.length === 0 || labels.some((label) => /[.\\]/.test(label))) return undefined;
  const wire = parseNameLower(labels.join('.'));
  return wire === undefined || wire.length > MAX_NAME_LENGTH ? undefined : labels;
}
