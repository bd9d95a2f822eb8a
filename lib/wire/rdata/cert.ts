// CERT: certificates (RFC 4398 section 2). Pure.
import { type Field, type RdataCodec, defineCodec } from './codec.ts';
import { namedAlgorithmField } from './dnskey.ts';
import { base64Field, uintField } from './fields.ts';

/** RFC 4398 section 2.1. */
const CERTIFICATE_TYPES: readonly (readonly [string, number])[] = [
  ['PKIX', 1],
  ['SPKI', 2],
  ['PGP', 3],
  ['IPKIX', 4],
  ['ISPKI', 5],
  ['IPGP', 6],
  ['ACPKIX', 7],
  ['IACPKIX', 8],
  ['URI', 253],
  ['OID', 254],
];
const NUMBERS = new Map(CERTIFICATE_TYPES);
const NAMES = new Map(CERTIFICATE_TYPES.map(([name, number]) => [number, name]));

const certificateTypeField: Field = {
  parse(from, to) {
    const known = NUMBERS.get(from.peek()?.text.toUpperCase() ?? '');
    if (known !== undefined) from.word('certificate type');
    to.uint(known ?? from.number('certificate type', 65_535), 2);
  },
  format(from) {
    const type = from.u16();
    return NAMES.get(type) ?? String(type);
  },
  layout: [2],
};

export const cert: RdataCodec = defineCodec(
  certificateTypeField,
  uintField('key tag', 2),
  namedAlgorithmField,
  base64Field('certificate'),
);
