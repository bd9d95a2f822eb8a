// Random DNS data for property tests: names that share tails, records of every kind of layout.
import * as fc from 'fast-check';
import { CLASS, RRTYPE } from '../../../lib/wire/types.ts';
import type { ResourceRecord } from '../../../lib/wire/record.ts';

const LABELS = ['a', 'A', 'b', 'web', 'WEB', 'shop', 'svc', 'cluster', 'local', 'x'.repeat(63)];
const label = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...LABELS).map((text) => Uint8Array.from(Buffer.from(text))) },
  { weight: 1, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 63 }) },
);

/** Uncompressed wire form; often with the same tail as others. */
export const anyName: fc.Arbitrary<Uint8Array> = fc
  .array(label, { maxLength: 6 })
  .map((labels) => Uint8Array.from([...labels.flatMap((part) => [part.length, ...part]), 0]))
  .filter((name) => name.length <= 255);

const u16 = fc.integer({ min: 0, max: 65_535 }).map((value) => Uint8Array.of(value >>> 8, value & 255));
const anyBytes = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });
const string = fc.uint8Array({ maxLength: 40 }).map((bytes) => Uint8Array.of(bytes.length, ...bytes));
const join = (...parts: fc.Arbitrary<Uint8Array>[]): fc.Arbitrary<Uint8Array> =>
  fc.tuple(...parts).map((all) => Uint8Array.from(Buffer.concat(all)));

const RDATA: readonly (readonly [number, fc.Arbitrary<Uint8Array>])[] = [
  [RRTYPE.A, anyBytes(4)],
  [RRTYPE.AAAA, anyBytes(16)],
  [RRTYPE.NS, anyName],
  [RRTYPE.CNAME, anyName],
  [RRTYPE.PTR, anyName],
  [RRTYPE.DNAME, anyName],
  [RRTYPE.SOA, join(anyName, anyName, anyBytes(20))],
  [RRTYPE.MX, join(u16, anyName)],
  [RRTYPE.SRV, join(anyBytes(6), anyName)],
  [RRTYPE.RP, join(anyName, anyName)],
  [RRTYPE.TXT, join(string, string)],
  [RRTYPE.NAPTR, join(anyBytes(4), string, string, string, anyName)],
  [RRTYPE.HINFO, join(string, string)],
  [RRTYPE.SSHFP, anyBytes(22)],
  [65_280, fc.uint8Array({ maxLength: 60 })],
];

/** A record of class IN with data that fits its type. */
export const anyRecord: fc.Arbitrary<ResourceRecord> = fc.constantFrom(...RDATA).chain(([type, rdata]) =>
  fc.record({
    name: anyName,
    type: fc.constant(type),
    class: fc.constant<number>(CLASS.IN),
    ttlSeconds: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    rdata,
  }),
);
