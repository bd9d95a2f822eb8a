// The EDNS options of one query as a list that rules change, and the replies' options after them. Worker.
import type { Query } from '../../chain/query.ts';
import { TRANSPORT } from '../../chain/query.ts';
import { formatName } from '../../wire/name.ts';
import { nextOption, OPTION_HEADER_LENGTH, optionCode, writeOption } from '../../wire/edns.ts';
import { maskBytes } from '../../base/ip-address.ts';
import { EDNS_OPTION } from '../../wire/types.ts';
import type { EdnsRule } from './rules.ts';

/** Size announced when a query without EDNS gets an option. */
const CREATED_UDP_SIZE = 4096;
const IPV4_FAMILY = 1;
const IPV6_FAMILY = 2;
/** Options that a reply repeats. */
const REPEATED: ReadonlySet<number> = new Set([
  EDNS_OPTION.NSID,
  EDNS_OPTION.EXPIRE,
  EDNS_OPTION.COOKIE,
  EDNS_OPTION.TCP_KEEPALIVE,
  EDNS_OPTION.PADDING,
]);

type Option = { readonly code: number; data: Uint8Array };

/** Undoes a change in the reply: `data` undefined takes the option away. */
export type OptionRevert = { readonly code: number; readonly data: Uint8Array | undefined };

/** The question that rules have worked on so far. */
export type Asked = { readonly name: string | undefined; readonly type: number };

export class EdnsOptions {
  readonly #list: Option[] = [];
  readonly udpSize: number;

  constructor(query: Query) {
    this.udpSize = query.hasEdns ? query.udpSize : CREATED_UDP_SIZE;
    if (!query.hasEdns) return;
    const { packet } = query;
    for (let at = query.packetAt + query.optionsAt, end = at + query.optionsLength; at < end; ) {
      const next = nextOption(packet, at);
      this.#list.push({ code: optionCode(packet, at), data: packet.slice(at + OPTION_HEADER_LENGTH, next) });
      at = next;
    }
  }

  /**
   * Applies a rule. @returns whether it changed something, with the way back where the rule wants one; undefined when it
   * did not apply
   */
  apply(rule: EdnsRule, query: Query, asked: Asked): { readonly revert: OptionRevert | undefined } | undefined {
    const { action, code } = rule;
    if (action === 'unset') {
      for (let i = this.#list.length - 1; i >= 0; i--) if (this.#list[i]!.code === code) this.#list.splice(i, 1);
      return { revert: undefined };
    }
    const data = makeData(rule, query, asked);
    if (data === undefined) return undefined;
    const found = this.#list.find((option) => option.code === code);
    if (found && action !== 'append') {
      const revert = rule.revert ? { code, data: found.data } : undefined;
      found.data = data;
      return { revert };
    }
    // An option made of bytes is appended to one that is there; others are not (as in CoreDNS).
    if (action === 'replace' || (found && rule.data.kind !== 'bytes')) return undefined;
    this.#list.push({ code, data });
    return { revert: rule.revert ? { code, data: undefined } : undefined };
  }

  /** Code, length, data triples. */
  encode(): Uint8Array {
    return encodeOptions(this.#list);
  }

  /**
   * Options for the reply: those that replies repeat and those that rules are about, after the way back.
   * @param ruled codes that rules are about
   */
  encodeReply(reverts: readonly OptionRevert[], ruled: ReadonlySet<number>, withNsid: boolean): Uint8Array {
    const list = this.#list.map(({ code, data }) => ({ code, data }));
    for (let i = reverts.length - 1; i >= 0; i--) {
      const { code, data } = reverts[i]!;
      const index = list.findIndex((option) => option.code === code);
      if (index === -1) continue;
      if (data === undefined) list.splice(index, 1);
      else list[index]!.data = data;
    }
    return encodeOptions(
      list.filter(({ code }) => {
        return (REPEATED.has(code) || ruled.has(code)) && (withNsid || code !== EDNS_OPTION.NSID);
      }),
    );
  }
}

function encodeOptions(list: readonly Option[]): Uint8Array {
  const length = list.reduce((sum, { data }) => sum + OPTION_HEADER_LENGTH + data.length, 0);
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const { code, data } of list) at = writeOption(bytes, at, code, data);
  return bytes;
}

/** Undefined when the query has no such value: the rule then does not apply. */
function makeData({ data }: EdnsRule, query: Query, asked: Asked): Uint8Array | undefined {
  switch (data.kind) {
    case 'bytes':
      return data.bytes;
    case 'subnet':
      return makeSubnet(query, data.ipv4Bits, data.ipv6Bits);
    default:
      return findVariable(data.name, query, asked);
  }
}

/** RFC 7871 section 6; scope 0 in queries. */
function makeSubnet(query: Query, ipv4Bits: number, ipv6Bits: number): Uint8Array {
  const isIpv4 = query.family === 4;
  const bits = isIpv4 ? ipv4Bits : ipv6Bits;
  const address = maskBytes(query.clientAddress.slice(0, isIpv4 ? 4 : 16), bits).subarray(0, Math.ceil(bits / 8));
  const data = new Uint8Array(4 + address.length);
  data[1] = isIpv4 ? IPV4_FAMILY : IPV6_FAMILY;
  data[2] = bits;
  data.set(address, 4);
  return data;
}

function findVariable(name: string, query: Query, asked: Asked): Uint8Array | undefined {
  const size = query.family === 4 ? 4 : 16;
  switch (name) {
    case 'qname':
      return Buffer.from(asked.name ?? formatName(query.renamed ? query.name : query.rawName), 'latin1');
    case 'qtype':
      return shortOf(asked.type);
    case 'client_ip':
      return query.clientAddress.slice(0, size);
    case 'server_ip':
      return query.serverAddress.slice(0, size);
    case 'client_port':
      return shortOf(query.clientPort);
    case 'server_port':
      return shortOf(query.serverPort);
    case 'protocol':
      return Buffer.from(query.transport === TRANSPORT.UDP ? 'udp' : 'tcp');
    default: {
      const value = query.metadata?.get(name) ?? '';
      return value === '' ? undefined : new TextEncoder().encode(value);
    }
  }
}

function shortOf(value: number): Uint8Array {
  return Uint8Array.of(value >>> 8, value & 255);
}
