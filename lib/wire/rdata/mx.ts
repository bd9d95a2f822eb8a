// MX, AFSDB and KX: a number and a host (RFC 1035 section 3.3.9, RFC 1183 section 1, RFC 2230 section 3). Pure.
import { type RdataCodec, defineCodec } from './codec.ts';
import { compressibleNameField, nameField, uintField } from './fields.ts';

export const mx: RdataCodec = defineCodec(uintField('preference', 2), compressibleNameField('exchange'));

/** AFSDB and KX: as MX, never compressed. */
export const numberedHost: RdataCodec = defineCodec(uintField('preference', 2), nameField('host'));
