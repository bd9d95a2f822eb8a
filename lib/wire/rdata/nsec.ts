// NSEC and CSYNC: which types exist (RFC 4034 section 4, RFC 7477 section 2.1). Pure.
import { type RdataCodec, defineCodec } from './codec.ts';
import { nameField, typeBitmapField, uintField } from './fields.ts';

export const nsec: RdataCodec = defineCodec(nameField('next name'), typeBitmapField);

export const csync: RdataCodec = defineCodec(uintField('serial', 4), uintField('flags', 2), typeBitmapField);
