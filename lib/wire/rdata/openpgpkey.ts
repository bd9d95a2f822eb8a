// OPENPGPKEY and DHCID: one base64 value (RFC 7929 section 2, RFC 4701 section 3). Pure.
import { type RdataCodec, defineCodec } from './codec.ts';
import { base64Field } from './fields.ts';

export const base64Value: RdataCodec = defineCodec(base64Field('value'));
