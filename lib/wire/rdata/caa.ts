// CAA: which authorities may issue certificates (RFC 8659 section 4). Pure.
import { RecordTextError } from '../text.ts';
import { type Field, LAYOUT, type RdataCodec, defineCodec } from './codec.ts';
import { octetsField, uintField } from './fields.ts';

const tagField: Field = {
  parse(from, to) {
    const tag = from.word('tag');
    if (!/^[A-Za-z0-9]{1,255}$/.test(tag)) throw new RecordTextError(`tag: "${tag}" is not made of letters and digits`);
    to.string(Buffer.from(tag, 'latin1'));
  },
  format(from) {
    const tag = Buffer.from(from.string()).toString('latin1');
    if (!/^[A-Za-z0-9]+$/.test(tag)) from.failed = true;
    return tag;
  },
  layout: [LAYOUT.STRING],
};

export const caa: RdataCodec = defineCodec(uintField('flags', 1), tagField, octetsField('value'));
