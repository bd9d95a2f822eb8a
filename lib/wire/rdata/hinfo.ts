// HINFO: host information, and the answer to ANY (RFC 1035 section 3.3.2, RFC 8482 section 4.2). Pure.
import { type RdataCodec, defineCodec } from './codec.ts';
import { stringField } from './fields.ts';

export const hinfo: RdataCodec = defineCodec(stringField('CPU'), stringField('OS'));
