// RRSIG and SIG: signatures (RFC 4034 section 3). Pure.
import { RecordTextError } from '../text.ts';
import { type Field, type RdataCodec, defineCodec } from './codec.ts';
import { algorithmField } from './dnskey.ts';
import { base64Field, nameField, ttlField, typeField, uintField } from './fields.ts';

/** Seconds since 1970, in text YYYYMMDDHHmmSS in UTC or a plain number (RFC 4034 section 3.2). */
function timeField(what: string): Field {
  return {
    parse(from, to) {
      const text = from.word(what);
      const seconds = parseTime(text);
      if (seconds === undefined) throw new RecordTextError(`${what}: "${text}" is not a time as YYYYMMDDHHmmSS`);
      to.uint(seconds, 4);
    },
    format: (from) => new Date(from.u32() * 1000).toISOString().replace(/[-T:]|\..*$/g, ''),
    layout: [4],
  };
}

function parseTime(text: string): number | undefined {
  if (/^\d{1,10}$/.test(text)) return Number(text) <= 0xffff_ffff ? Number(text) : undefined;
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(text);
  if (!parts) return undefined;
  const ms = Date.parse(`${parts[1]}-${parts[2]}-${parts[3]}T${parts[4]}:${parts[5]}:${parts[6]}Z`);
  // Serial number arithmetic: after 2106 the 32 bits start over.
  return Number.isNaN(ms) || ms < 0 ? undefined : (ms / 1000) % 2 ** 32;
}

export const rrsig: RdataCodec = defineCodec(
  typeField,
  algorithmField,
  uintField('labels', 1),
  ttlField('original TTL'),
  timeField('expiration'),
  timeField('inception'),
  uintField('key tag', 2),
  nameField('signer'),
  base64Field('signature'),
);
