// DS and CDS: digest of a child's key (RFC 4034 section 5, RFC 7344 section 3.1). Pure.
import { type RdataCodec, defineCodec } from './codec.ts';
import { hexField, uintField } from './fields.ts';
import { algorithmField } from './dnskey.ts';

export const ds: RdataCodec = defineCodec(
  uintField('key tag', 2),
  algorithmField,
  uintField('digest type', 1),
  hexField('digest', true),
);
