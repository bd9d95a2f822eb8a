// NAPTR: naming authority pointer (RFC 3403 section 4). Pure.
import { type RdataCodec, defineCodec } from './codec.ts';
import { nameField, stringField, uintField } from './fields.ts';

export const naptr: RdataCodec = defineCodec(
  uintField('order', 2),
  uintField('preference', 2),
  stringField('flags'),
  stringField('services'),
  stringField('regular expression'),
  nameField('replacement'),
);
