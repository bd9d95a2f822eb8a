// Data of unknown types: `\# length hexadecimal` (RFC 3597 section 5). Pure.
import { RecordTextError } from '../text.ts';
import { type RdataCodec, LAYOUT, defineCodec } from './codec.ts';
import { formatHex, parseHex } from './fields.ts';

/** Also valid for known types, in place of their own text. */
export const generic: RdataCodec = defineCodec({
  parse(from, to) {
    const mark = from.word('record data');
    if (mark !== '\\#')
      throw new RecordTextError(`"${mark}" where \\# must stand, the type has no text form of its own`);
    const length = from.number('length', 65_535);
    const bytes = parseHex(from.atEnd ? '' : from.rest('data'), 'data');
    if (bytes.length !== length) throw new RecordTextError(`${bytes.length} bytes where \\# says ${length}`);
    to.append(bytes);
  },
  format(from) {
    const bytes = from.rest();
    return bytes.length === 0 ? '\\# 0' : `\\# ${bytes.length} ${formatHex(bytes, false)}`;
  },
  layout: [LAYOUT.REST],
});
