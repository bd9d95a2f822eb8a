// SSHFP: fingerprint of a host key (RFC 4255 section 3). Pure.
import { type RdataCodec, defineCodec } from './codec.ts';
import { hexField, uintField } from './fields.ts';

export const sshfp: RdataCodec = defineCodec(
  uintField('algorithm', 1),
  uintField('fingerprint type', 1),
  hexField('fingerprint', true),
);
