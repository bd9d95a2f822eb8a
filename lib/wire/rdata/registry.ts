// Record type -> how its data is read, written and walked. The one list of the types that have a text form. Pure.
import { equalNames, nameLength } from '../name.ts';
import { RecordTextError, type TextReader } from '../text.ts';
import { CLASS, RRTYPE } from '../types.ts';
import { a, aaaa } from './address.ts';
import { caa } from './caa.ts';
import { cert } from './cert.ts';
import { LAYOUT, type RdataCodec, RdataReader, RdataWriter } from './codec.ts';
import { dnskey } from './dnskey.ts';
import { ds } from './ds.ts';
import { eui48, eui64 } from './eui.ts';
import { skipLabels } from './fields.ts';
import { generic } from './generic.ts';
import { hinfo } from './hinfo.ts';
import { loc } from './loc.ts';
import { mx, numberedHost } from './mx.ts';
import { naptr } from './naptr.ts';
import { csync, nsec } from './nsec.ts';
import { nsec3, nsec3param } from './nsec3.ts';
import { base64Value } from './openpgpkey.ts';
import { rp } from './rp.ts';
import { rrsig } from './rrsig.ts';
import { dname, singleName } from './single-name.ts';
import { soa } from './soa.ts';
import { srv } from './srv.ts';
import { sshfp } from './sshfp.ts';
import { svcb } from './svcb.ts';
import { tlsa } from './tlsa.ts';
import { txt } from './txt.ts';
import { uri } from './uri.ts';
import { zonemd } from './zonemd.ts';

/** Types with a codec of their own. */
export const CODECS: ReadonlyMap<number, RdataCodec> = new Map([
  [RRTYPE.A, a],
  [RRTYPE.NS, singleName],
  [RRTYPE.CNAME, singleName],
  [RRTYPE.SOA, soa],
  [RRTYPE.PTR, singleName],
  [RRTYPE.HINFO, hinfo],
  [RRTYPE.MX, mx],
  [RRTYPE.TXT, txt],
  [RRTYPE.RP, rp],
  [RRTYPE.AFSDB, numberedHost],
  [RRTYPE.SIG, rrsig],
  [RRTYPE.KEY, dnskey],
  [RRTYPE.AAAA, aaaa],
  [RRTYPE.LOC, loc],
  [RRTYPE.SRV, srv],
  [RRTYPE.NAPTR, naptr],
  [RRTYPE.KX, numberedHost],
  [RRTYPE.CERT, cert],
  [RRTYPE.DNAME, dname],
  [RRTYPE.DS, ds],
  [RRTYPE.SSHFP, sshfp],
  [RRTYPE.RRSIG, rrsig],
  [RRTYPE.NSEC, nsec],
  [RRTYPE.DNSKEY, dnskey],
  [RRTYPE.DHCID, base64Value],
  [RRTYPE.NSEC3, nsec3],
  [RRTYPE.NSEC3PARAM, nsec3param],
  [RRTYPE.TLSA, tlsa],
  [RRTYPE.SMIMEA, tlsa],
  [RRTYPE.CDS, ds],
  [RRTYPE.CDNSKEY, dnskey],
  [RRTYPE.OPENPGPKEY, base64Value],
  [RRTYPE.CSYNC, csync],
  [RRTYPE.ZONEMD, zonemd],
  [RRTYPE.SVCB, svcb],
  [RRTYPE.HTTPS, svcb],
  [RRTYPE.SPF, txt],
  [RRTYPE.EUI48, eui48],
  [RRTYPE.EUI64, eui64],
  [RRTYPE.URI, uri],
  [RRTYPE.CAA, caa],
]);

const LARGEST_TYPE = Math.max(...CODECS.keys());
const LAYOUTS: readonly (Uint8Array | undefined)[] = Array.from(
  { length: LARGEST_TYPE + 1 },
  (_, type) => CODECS.get(type)?.layout,
);

/** Steps (`LAYOUT`) for walking the data of `type`, or undefined when any bytes will do. Allocation-free. */
export function findLayout(type: number, recordClass: number): Uint8Array | undefined {
  return type > LARGEST_TYPE || isChaosAddress(type, recordClass) ? undefined : LAYOUTS[type];
}

/** An address of class CH is something else: RFC 1035 section 3.4.1 is for class IN. */
function isChaosAddress(type: number, recordClass: number): boolean {
  return type === RRTYPE.A && recordClass === CLASS.CH;
}

function findCodec(type: number, recordClass: number): RdataCodec | undefined {
  return isChaosAddress(type, recordClass) ? undefined : CODECS.get(type);
}

/** `finish` copies, so one serves all records: a zone file has many. */
const shared = new RdataWriter();

/**
 * Wire form of the record data that `from` holds up to its end, in the type's own form or as `\# length hex`.
 * @throws RecordTextError
 */
export function parseRdata(type: number, from: TextReader, recordClass: number = CLASS.IN): Uint8Array {
  const to = shared;
  to.clear();
  const codec = findCodec(type, recordClass);
  const first = from.peek();
  const isGeneric = !codec || (first !== undefined && first.text === '\\#' && !first.quoted);
  (isGeneric ? generic : codec).parse(from, to);
  const extra = from.peek();
  if (extra) throw new RecordTextError(`"${extra.text}" follows a complete record`);
  const rdata = to.finish();
  if (isGeneric && codec && !fitsLayout(codec.layout, rdata))
    throw new RecordTextError('the bytes do not fit the type');
  return rdata;
}

/** Whether uncompressed bytes have the structure `layout`, the least that a message needs. */
function fitsLayout(layout: Uint8Array, rdata: Uint8Array): boolean {
  const from = new RdataReader(rdata);
  for (const step of layout) {
    if (step < LAYOUT.NAME) from.take(step);
    else if (step === LAYOUT.REST) from.rest();
    else if (step <= LAYOUT.COMPRESSIBLE_NAME) skipLabels(from);
    else {
      do from.string();
      while (step === LAYOUT.STRINGS && from.left > 0);
    }
  }
  return !from.failed && from.left === 0;
}

/** Text of uncompressed record data; `\# length hex` for unknown types and for bytes that do not fit their type. */
export function formatRdata(type: number, rdata: Uint8Array, recordClass: number = CLASS.IN): string {
  return formatKnown(type, rdata, recordClass) ?? generic.format(new RdataReader(rdata));
}

function formatKnown(type: number, rdata: Uint8Array, recordClass: number): string | undefined {
  const from = new RdataReader(rdata);
  const text = findCodec(type, recordClass)?.format(from);
  return from.failed || from.left > 0 ? undefined : text;
}

/** Whether uncompressed bytes are data of `type`; any bytes are for a type without a codec. Cold path. */
export function isValidRdata(type: number, rdata: Uint8Array, recordClass: number = CLASS.IN): boolean {
  return !findCodec(type, recordClass) || formatKnown(type, rdata, recordClass) !== undefined;
}

/** Where a domain name stands in rdata, and whether it may be written compressed (RFC 3597 section 4). */
export type RdataName = { readonly at: number; readonly length: number; readonly compressible: boolean };

/** The domain names in valid uncompressed data of `type`, in order. Cold path. */
export function findRdataNames(type: number, rdata: Uint8Array): RdataName[] {
  const names: RdataName[] = [];
  let at = 0;
  for (const step of LAYOUTS[type] ?? []) {
    if (step < LAYOUT.NAME) at += step;
    else if (step === LAYOUT.STRING) at += rdata[at]! + 1;
    else if (step > LAYOUT.STRING) break;
    else {
      const length = nameLength(rdata, at);
      names.push({ at, length, compressible: step === LAYOUT.COMPRESSIBLE_NAME });
      at += length;
    }
  }
  return names;
}

/** Whether two uncompressed rdata of one type are the same, names compared without case. Cold path. */
export function equalRdata(type: number, left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  let at = 0;
  for (const name of findRdataNames(type, left)) {
    if (Buffer.compare(left.subarray(at, name.at), right.subarray(at, name.at)) !== 0) return false;
    if (!equalNames(left, name.at, right, name.at)) return false;
    at = name.at + name.length;
  }
  return Buffer.compare(left.subarray(at), right.subarray(at)) === 0;
}
