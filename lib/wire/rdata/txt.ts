// TXT and SPF: character-strings (RFC 1035 section 3.3.14, RFC 7208 section 3.1). Pure.
import { type RdataCodec, defineCodec } from './codec.ts';
import { stringsField } from './fields.ts';

export const txt: RdataCodec = defineCodec(stringsField);
