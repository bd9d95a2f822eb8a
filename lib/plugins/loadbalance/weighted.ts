// The weight of one address record. Worker.
import { formatIpAddress } from '../../base/ip-address.ts';
import type { Answer } from '../../chain/answer.ts';
import { formatName, readName } from '../../wire/name.ts';
import type { Weights } from './weights.ts';

const DEFAULT_WEIGHT = 1;
const owner = new Uint8Array(256);

/** Weight of address record `i` by its owner and address. */
export function findWeight(answer: Answer, i: number, weights: Weights): number {
  const { bytes, base, records, length } = answer;
  if (readName(bytes, base, records.ownerAt(i), length, owner) === -1) return DEFAULT_WEIGHT;
  const ofName = weights[formatName(owner).toLowerCase()];
  if (ofName === undefined) return DEFAULT_WEIGHT;
  const at = base + records.rdataAt(i);
  return ofName[formatIpAddress(bytes.subarray(at, at + records.rdataLength(i)))] ?? DEFAULT_WEIGHT;
}
