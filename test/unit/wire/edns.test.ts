import test from 'ava';
import dnsPacket from 'dns-packet';
import {
  OPTION_HEADER_LENGTH,
  OPT_LENGTH,
  areOptionsWellFormed,
  extendedErrorLength,
  findOption,
  finishOpt,
  nextOption,
  optionCode,
  optionLength,
  writeExtendedError,
  writeOpt,
  writeOption,
} from '../../../lib/wire/edns.ts';

test('writeOpt: an OPT record with options as dns-packet reads it', (t) => {
  const into = new Uint8Array(200);
  into[11] = 1;
  let at = writeOpt(into, 12, 1232, 0x123, 0, 0x8000);
  t.is(at, 12 + OPT_LENGTH);
  at = writeOption(into, at, 10, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
  at = writeExtendedError(into, at, 18, 'blocked');
  finishOpt(into, 12, at);
  const [opt] = dnsPacket.decode(Buffer.from(into.subarray(0, at))).additionals ?? [];
  t.like(opt, { type: 'OPT', udpPayloadSize: 1232, extendedRcode: 0x12, ednsVersion: 0, flag_do: true });
  const options = (opt as unknown as { options: { code: number; data: Buffer }[] }).options;
  t.deepEqual(
    options.map(({ code, data }) => [code, data.toString('latin1')]),
    [
      [10, '\u0001\u0002\u0003\u0004\u0005\u0006\u0007\b'],
      [15, '\u0000\u0012blocked'],
    ],
  );
});

test('findOption: the first of its code, or -1', (t) => {
  const options = Uint8Array.from(Buffer.from('ff000a0001aa000f00020012000a000000', 'hex'));
  t.is(findOption(options, 1, 15, 10), 1);
  t.is(findOption(options, 1, 15, 15), 6);
  t.is(findOption(options, 1, 15, 3), -1);
  t.is(findOption(options, 1, 0, 10), -1);
  t.is(optionLength(options, 6), 2);
  t.is(optionCode(options, nextOption(options, 6)), 10);
  t.is(nextOption(options, 1), 1 + OPTION_HEADER_LENGTH + 1);
});

test('areOptionsWellFormed: the lengths must fill the data exactly', (t) => {
  const formed = (hex: string): boolean => areOptionsWellFormed(Buffer.from(hex, 'hex'), 0, hex.length / 2);
  t.true(formed(''));
  t.true(formed('000a0000'));
  t.true(formed('000a0001ff000f00020000'));
  t.false(formed('00'));
  t.false(formed('000a00'));
  t.false(formed('000a0001'));
  t.false(formed('000a000100ff'));
});

test('writeExtendedError: a long text is cut at a character, within 255 bytes', (t) => {
  const into = new Uint8Array(400);
  const text = 'ä'.repeat(200);
  const end = writeExtendedError(into, 0, 0, text);
  t.is(end, extendedErrorLength(text));
  t.is(end, 6 + 254);
  t.is(Buffer.from(into.subarray(6, end)).toString(), 'ä'.repeat(127));
  t.is(writeExtendedError(into, 0, 22, ''), 6);
});
