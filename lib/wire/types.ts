// The numbers of the protocol: record types, classes, response codes, opcodes, EDNS options. Pure.

/** Record types that have a text form of their own (IANA DNS parameters). Others are TYPEn (RFC 3597). */
export const RRTYPE = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  HINFO: 13,
  MX: 15,
  TXT: 16,
  RP: 17,
  AFSDB: 18,
  SIG: 24,
  KEY: 25,
  AAAA: 28,
  LOC: 29,
  SRV: 33,
  NAPTR: 35,
  KX: 36,
  CERT: 37,
  DNAME: 39,
  OPT: 41,
  APL: 42,
  DS: 43,
  SSHFP: 44,
  IPSECKEY: 45,
  RRSIG: 46,
  NSEC: 47,
  DNSKEY: 48,
  DHCID: 49,
  NSEC3: 50,
  NSEC3PARAM: 51,
  TLSA: 52,
  SMIMEA: 53,
  HIP: 55,
  CDS: 59,
  CDNSKEY: 60,
  OPENPGPKEY: 61,
  CSYNC: 62,
  ZONEMD: 63,
  SVCB: 64,
  HTTPS: 65,
  SPF: 99,
  EUI48: 108,
  EUI64: 109,
  TKEY: 249,
  TSIG: 250,
  IXFR: 251,
  AXFR: 252,
  ANY: 255,
  URI: 256,
  CAA: 257,
} as const;

export const CLASS = { IN: 1, CH: 3, HS: 4, NONE: 254, ANY: 255 } as const;

export const OPCODE = { QUERY: 0, IQUERY: 1, STATUS: 2, NOTIFY: 4, UPDATE: 5 } as const;

export const RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  YXDOMAIN: 6,
  YXRRSET: 7,
  NXRRSET: 8,
  NOTAUTH: 9,
  NOTZONE: 10,
  BADVERS: 16,
  BADKEY: 17,
  BADTIME: 18,
  BADMODE: 19,
  BADNAME: 20,
  BADALG: 21,
  BADTRUNC: 22,
  BADCOOKIE: 23,
} as const;

/** EDNS option codes. */
export const EDNS_OPTION = {
  NSID: 3,
  CLIENT_SUBNET: 8,
  EXPIRE: 9,
  COOKIE: 10,
  TCP_KEEPALIVE: 11,
  PADDING: 12,
  EXTENDED_ERROR: 15,
} as const;

/** Extended DNS error info codes (RFC 8914 section 4). */
export const EDE = {
  OTHER: 0,
  STALE_ANSWER: 3,
  FORGED_ANSWER: 4,
  BLOCKED: 15,
  FILTERED: 17,
  STALE_NXDOMAIN: 19,
  NOT_READY: 14,
  CACHED_ERROR: 13,
  PROHIBITED: 18,
  NO_REACHABLE_AUTHORITY: 22,
  NETWORK_ERROR: 23,
  INVALID_DATA: 24,
} as const;

const TYPE_NAMES = new Map<number, string>(Object.entries(RRTYPE).map(([name, code]) => [code, name]));
const RCODE_NAMES = new Map<number, string>(Object.entries(RCODE).map(([name, code]) => [code, name]));

/** `A`, `AAAA`, ... or `TYPEn` (RFC 3597 section 5). */
export function formatType(type: number): string {
  return TYPE_NAMES.get(type) ?? `TYPE${type}`;
}

/** The number of `A`, `TYPE65280`, ... in any letter case, or undefined. */
export function parseType(text: string): number | undefined {
  const upper = text.toUpperCase();
  const known = (RRTYPE as Readonly<Record<string, number>>)[upper];
  if (known !== undefined) return known;
  const match = /^TYPE(\d{1,5})$/.exec(upper);
  return match && Number(match[1]) <= 65535 ? Number(match[1]) : undefined;
}

/** `NOERROR`, ... or `RCODEn`. */
export function formatRcode(rcode: number): string {
  return RCODE_NAMES.get(rcode) ?? `RCODE${rcode}`;
}

/** The number of `NOERROR`, ... in any letter case, or undefined. */
export function parseRcode(text: string): number | undefined {
  const upper = text.toUpperCase();
  return (RCODE as Readonly<Record<string, number>>)[upper] ?? OTHER_RCODE_NAMES[upper];
}
/** BADSIG shares its number with BADVERS (RFC 8945 section 3). */
const OTHER_RCODE_NAMES: Readonly<Record<string, number>> = { BADSIG: RCODE.BADVERS, NOTIMPL: RCODE.NOTIMP };
