// URI (RFC 7553 section 4). Pure.
import { type RdataCodec, defineCodec } from './codec.ts';
import { octetsField, uintField } from './fields.ts';

export const uri: RdataCodec = defineCodec(uintField('priority', 2), uintField('weight', 2), octetsField('target'));
