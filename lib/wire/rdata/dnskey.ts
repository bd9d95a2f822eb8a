// DNSKEY, CDNSKEY and KEY: public keys (RFC 4034 section 2, RFC 7344 section 3.2). Pure.
import { RecordTextError } from '../text.ts';
import { type Field, type RdataCodec, defineCodec } from './codec.ts';
import { base64Field, uintField } from './fields.ts';

/** DNSSEC algorithm mnemonics that zone files may use in place of numbers (RFC 4034 appendix A.1 and successors). */
const ALGORITHMS: Readonly<Record<string, number>> = {
  RSAMD5: 1,
  DH: 2,
  DSA: 3,
  RSASHA1: 5,
  'DSA-NSEC3-SHA1': 6,
  'RSASHA1-NSEC3-SHA1': 7,
  RSASHA256: 8,
  RSASHA512: 10,
  'ECC-GOST': 12,
  ECDSAP256SHA256: 13,
  ECDSAP384SHA384: 14,
  ED25519: 15,
  ED448: 16,
  INDIRECT: 252,
  PRIVATEDNS: 253,
  PRIVATEOID: 254,
};

/** Read as number or mnemonic, printed as number. */
export const algorithmField: Field = {
  parse(from, to) {
    const text = from.peek()?.text.toUpperCase() ?? '';
    const known = ALGORITHMS[text];
    if (known === undefined && /^\D/.test(text)) throw new RecordTextError(`"${text}" is not a DNSSEC algorithm`);
    if (known !== undefined) from.word('algorithm');
    to.uint(known ?? from.number('algorithm', 255), 1);
  },
  format: (from) => String(from.u8()),
  layout: [1],
};

const ALGORITHM_NAMES = new Map(Object.entries(ALGORITHMS).map(([name, number]) => [number, name]));

/** Read as number or mnemonic, printed as mnemonic. */
export const namedAlgorithmField: Field = {
  ...algorithmField,
  format(from) {
    const number = from.u8();
    return ALGORITHM_NAMES.get(number) ?? String(number);
  },
};

export const dnskey: RdataCodec = defineCodec(
  uintField('flags', 2),
  uintField('protocol', 1),
  algorithmField,
  base64Field('public key'),
);
