// EUI48 and EUI64: hardware addresses (RFC 7043 sections 3 and 4). Pure.
import { RecordTextError } from '../text.ts';
import { type Field, type RdataCodec, defineCodec } from './codec.ts';
import { formatHex } from './fields.ts';

function euiField(size: 6 | 8): Field {
  return {
    parse(from, to) {
      const text = from.word('address');
      const digits = text.replaceAll('-', '');
      if (!/^[0-9a-f]{2}(?:-[0-9a-f]{2})+$/i.test(text) || digits.length !== size * 2) {
        throw new RecordTextError(`"${text}" is not ${size} bytes as 00-11-22-..`);
      }
      to.append(Buffer.from(digits, 'hex'));
    },
    format: (from) => formatHex(from.take(size), false).replace(/..(?=.)/g, '$&-'),
    layout: [size],
  };
}

export const eui48: RdataCodec = defineCodec(euiField(6));
export const eui64: RdataCodec = defineCodec(euiField(8));
