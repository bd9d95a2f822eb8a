// The weight file: names, each followed by its addresses and their weights. Both kinds of thread.
import { formatIpAddress, parseIpAddress, unmapIpv4 } from '../../base/ip-address.ts';

/** Weight by address text, by absolute lower-case name; plain data. */
export type Weights = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** A line that is none of the known forms; the message names it. */
export class WeightFileError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'WeightFileError';
  }
}

const MAX_WEIGHT = 255;

/**
 * Reads lines of `NAME`, then `ADDRESS WEIGHT` for each of its addresses; `#` starts a comment line.
 *
 * @throws WeightFileError with the line number
 */
export function parseWeights(text: string): Weights {
  const weights = new Map<string, Record<string, number>>();
  let current: Record<string, number> | undefined;
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const words = line.split(/\s+/);
    if (words.length === 1) {
      current = openName(weights, line, index + 1);
      continue;
    }
    const [address = '', weight = ''] = words;
    const parsed = parseIpAddress(address);
    const value = /^\d{1,3}$/.test(weight) ? Number(weight) : 0;
    if (words.length > 2) throw new WeightFileError(`line ${index + 1}: expected "ADDRESS WEIGHT", not "${line}"`);
    if (current === undefined) throw new WeightFileError(`line ${index + 1}: a name must come before its addresses`);
    if (parsed === undefined) throw new WeightFileError(`line ${index + 1}: "${address}" is not an IP address`);
    if (value < 1 || value > MAX_WEIGHT) {
      throw new WeightFileError(`line ${index + 1}: weight "${weight}" is not from 1 to ${MAX_WEIGHT}`);
    }
    current[formatIpAddress(unmapIpv4(parsed.bytes))] ??= value;
  }
  return Object.fromEntries(weights);
}

function openName(weights: Map<string, Record<string, number>>, name: string, line: number): Record<string, number> {
  if (parseIpAddress(name) !== undefined) {
    throw new WeightFileError(`line ${line}: "${name}" stands where a name is expected, is its weight missing?`);
  }
  const key = (name.endsWith('.') ? name : `${name}.`).toLowerCase();
  const known = weights.get(key) ?? {};
  weights.set(key, known);
  return known;
}
