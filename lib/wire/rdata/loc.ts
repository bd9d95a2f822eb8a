// LOC: a place on Earth (RFC 1876). Pure.
import { RecordTextError, type TextReader } from '../text.ts';
import { type Field, type RdataCodec, type RdataReader, type RdataWriter, defineCodec } from './codec.ts';

const EQUATOR = 2 ** 31;
/** Zero altitude lies 100 km above the bottom of the scale, in centimetres. */
const ALTITUDE_BASE_CM = 10_000_000;
const DEFAULT_SIZE = 0x12;
const DEFAULT_HORIZONTAL = 0x16;
const DEFAULT_VERTICAL = 0x13;

/** Takes `d [m [s]] N|S` or `E|W`. Thousandths of a second of arc from the equator or prime meridian. */
function parseAngle(from: TextReader, what: string, positive: string, negative: string, maxDegrees: number): number {
  const parts: number[] = [];
  for (;;) {
    const text = from.word(what);
    const upper = text.toUpperCase();
    if (upper === positive || upper === negative) {
      const [degrees = Number.NaN, minutes = 0, seconds = 0] = parts;
      const total = Math.round((degrees * 3600 + minutes * 60 + seconds) * 1000);
      const wrong = !Number.isInteger(degrees) || !Number.isInteger(minutes) || minutes > 59 || seconds >= 60;
      if (wrong || total > maxDegrees * 3_600_000) break;
      return upper === positive ? total : -total;
    }
    if (parts.length === 3 || !/^\d{1,3}(?:\.\d{1,3})?$/.test(text)) break;
    parts.push(Number(text));
  }
  throw new RecordTextError(`${what}: not degrees (to ${maxDegrees}), minutes, seconds and ${positive} or ${negative}`);
}

/** Centimetres of `12.34m`. */
function parseMetres(text: string, what: string): number {
  const match = /^(-?\d{1,8}(?:\.\d{1,2})?)m?$/i.exec(text);
  if (!match) throw new RecordTextError(`${what}: "${text}" is not a number of metres`);
  return Math.round(Number(match[1]) * 100);
}

/** A size as one digit and a power of ten of centimetres. */
function encodeSize(cm: number, what: string): number {
  let exponent = 0;
  let mantissa = cm;
  while (mantissa >= 10) {
    mantissa = Math.floor(mantissa / 10);
    exponent++;
  }
  if (cm < 0 || exponent > 9) throw new RecordTextError(`${what}: out of range`);
  return (mantissa << 4) | exponent;
}

function formatAngle(value: number, positive: string, negative: string): string {
  const size = Math.abs(value);
  const degrees = String(Math.floor(size / 3_600_000)).padStart(2, '0');
  const minutes = String(Math.floor(size / 60_000) % 60).padStart(2, '0');
  return `${degrees} ${minutes} ${((size % 60_000) / 1000).toFixed(3)} ${value >= 0 ? positive : negative}`;
}

function formatCentimetres(cm: number): string {
  return cm % 100 === 0 ? `${cm / 100}m` : `${(cm / 100).toFixed(2)}m`;
}

function formatSize(from: RdataReader): string {
  const byte = from.u8();
  if (byte >>> 4 > 9 || (byte & 15) > 9) from.failed = true;
  const cm = (byte >>> 4) * 10 ** (byte & 15);
  return cm === 0 ? '0.00m' : formatCentimetres(cm);
}

const locationField: Field = {
  parse(from: TextReader, to: RdataWriter): void {
    const latitude = parseAngle(from, 'latitude', 'N', 'S', 90);
    const longitude = parseAngle(from, 'longitude', 'E', 'W', 180);
    const altitude = parseMetres(from.word('altitude'), 'altitude') + ALTITUDE_BASE_CM;
    if (altitude < 0 || altitude > 0xffff_ffff) throw new RecordTextError('altitude: out of range');
    const precision = ['size', 'horizontal precision', 'vertical precision'].map((what, i) =>
      from.atEnd
        ? [DEFAULT_SIZE, DEFAULT_HORIZONTAL, DEFAULT_VERTICAL][i]!
        : encodeSize(parseMetres(from.word(what), what), what),
    );
    to.uint(0, 1);
    for (const byte of precision) to.uint(byte, 1);
    to.uint(EQUATOR + latitude, 4);
    to.uint(EQUATOR + longitude, 4);
    to.uint(altitude, 4);
  },
  format(from) {
    if (from.u8() !== 0) from.failed = true;
    const sizes = [formatSize(from), formatSize(from), formatSize(from)];
    const latitude = from.u32() - EQUATOR;
    const longitude = from.u32() - EQUATOR;
    if (Math.abs(latitude) > 90 * 3_600_000 || Math.abs(longitude) > 180 * 3_600_000) from.failed = true;
    const altitude = formatCentimetres(from.u32() - ALTITUDE_BASE_CM);
    return `${formatAngle(latitude, 'N', 'S')} ${formatAngle(longitude, 'E', 'W')} ${altitude} ${sizes.join(' ')}`;
  },
  layout: [16],
};

export const loc: RdataCodec = defineCodec(locationField);
