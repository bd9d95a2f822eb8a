// NSEC3 and NSEC3PARAM: hashed denial of existence (RFC 5155 sections 3 and 4). Pure.
import { RecordTextError } from '../text.ts';
import { type Field, LAYOUT, type RdataCodec, defineCodec } from './codec.ts';
import { formatHex, parseHex, typeBitmapField, uintField } from './fields.ts';

const saltField: Field = {
  parse(from, to) {
    const text = from.word('salt');
    to.string(text === '-' ? new Uint8Array(0) : parseHex(text, 'salt'));
  },
  format(from) {
    const salt = from.string();
    return salt.length === 0 ? '-' : formatHex(salt, true);
  },
  layout: [LAYOUT.STRING],
};

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUV';

/** base32hex without padding (RFC 4648 section 7). */
function formatBase32(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    for (bits += 8; bits >= 5; bits -= 5) text += DIGITS[(held >>> (bits - 5)) & 31]!;
    held &= 255;
  }
  return bits === 0 ? text : text + DIGITS[(held << (5 - bits)) & 31]!;
}

function parseBase32(text: string): Uint8Array {
  const out: number[] = [];
  let bits = 0;
  let held = 0;
  for (const char of text.toUpperCase()) {
    const digit = DIGITS.indexOf(char);
    if (digit === -1) throw new RecordTextError(`next hash: "${text}" is not base32hex`);
    held = ((held << 5) | digit) & 0xfff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    out.push((held >>> bits) & 255);
  }
  return Uint8Array.from(out);
}

const nextHashField: Field = {
  parse: (from, to) => to.string(parseBase32(from.word('next hash'))),
  format(from) {
    const hash = from.string();
    if (hash.length === 0) from.failed = true;
    return formatBase32(hash);
  },
  layout: [LAYOUT.STRING],
};

const PARAMETERS = [uintField('hash algorithm', 1), uintField('flags', 1), uintField('iterations', 2), saltField];

export const nsec3: RdataCodec = defineCodec(...PARAMETERS, nextHashField, typeBitmapField);

export const nsec3param: RdataCodec = defineCodec(...PARAMETERS);
