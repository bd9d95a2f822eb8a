// NS, CNAME, PTR and DNAME: one domain name (RFC 1035 section 3.3, RFC 6672 section 2.1). Pure.
import { type RdataCodec, defineCodec } from './codec.ts';
import { compressibleNameField, nameField } from './fields.ts';

/** NS, CNAME, PTR. */
export const singleName: RdataCodec = defineCodec(compressibleNameField('name'));

/** DNAME is younger than RFC 1035: its target is never compressed (RFC 6672 section 2.5). */
export const dname: RdataCodec = defineCodec(nameField('target'));
