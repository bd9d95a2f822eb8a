// Numbers as Go's strconv writes them in the shortest form, which scrapers see in values and in `le`. Pure.

/** Decimal exponents outside of these are written with an `e`. */
const MIN_PLAIN_EXPONENT = -4;
const MAX_PLAIN_EXPONENT = 5;

/**
 * Formats a metric value or bucket bound like Go's `strconv.FormatFloat(value, 'g', -1, 64)`: `0.00025`, `16000`,
 * `1e+06`, `+Inf`. The exponent has a sign and at least two digits.
 */
export function formatFloat(value: number): string {
  if (value === 0) return '0';
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  const [mantissa = '', exponentText = '0'] = value.toExponential().split('e');
  const exponent = Number(exponentText);
  if (exponent >= MIN_PLAIN_EXPONENT && exponent <= MAX_PLAIN_EXPONENT) return String(value);
  return `${mantissa}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
}
