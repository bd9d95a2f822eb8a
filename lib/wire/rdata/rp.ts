// RP: responsible person (RFC 1183 section 2). Pure.
import { type RdataCodec, defineCodec } from './codec.ts';
import { nameField } from './fields.ts';

export const rp: RdataCodec = defineCodec(nameField('mailbox'), nameField('text name'));
