// ZONEMD: digest of a whole zone (RFC 8976 section 2). Pure.
import { type RdataCodec, defineCodec } from './codec.ts';
import { hexField, uintField } from './fields.ts';

export const zonemd: RdataCodec = defineCodec(
  uintField('serial', 4),
  uintField('scheme', 1),
  uintField('hash algorithm', 1),
  hexField('digest', false),
);
