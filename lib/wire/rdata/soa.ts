// SOA: start of a zone of authority (RFC 1035 section 3.3.13). Pure.
import { type RdataCodec, defineCodec } from './codec.ts';
import { compressibleNameField, ttlField, uintField } from './fields.ts';

export const soa: RdataCodec = defineCodec(
  compressibleNameField('primary nameserver'),
  compressibleNameField('mailbox'),
  uintField('serial', 4),
  ttlField('refresh'),
  ttlField('retry'),
  ttlField('expire'),
  ttlField('minimum TTL'),
);
