// TLSA and SMIMEA: certificate associations (RFC 6698 section 2, RFC 8162 section 2). Pure.
import { type RdataCodec, defineCodec } from './codec.ts';
import { hexField, uintField } from './fields.ts';

export const tlsa: RdataCodec = defineCodec(
  uintField('usage', 1),
  uintField('selector', 1),
  uintField('matching type', 1),
  hexField('certificate association data', false),
);
