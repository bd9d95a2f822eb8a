// SRV: where a service is (RFC 2782). Pure.
import { type RdataCodec, defineCodec } from './codec.ts';
import { nameField, uintField } from './fields.ts';

/** The target is never compressed (RFC 2782, RFC 3597 section 4). */
export const srv: RdataCodec = defineCodec(
  uintField('priority', 2),
  uintField('weight', 2),
  uintField('port', 2),
  nameField('target'),
);
