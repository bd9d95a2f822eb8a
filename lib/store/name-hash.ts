// The hash that the store files a name under, for names that are not in a Query. Both kinds of thread.
import { finishHash, hashBytes } from '../wire/hash.ts';
import { HASH_SEED } from './layout.ts';

/** Hash for `StoreReader.find` of the relative name at `name[at .. at + length)`: wire form, lower case, no root label. */
export function relativeNameHash(tree: number, name: Uint8Array, at = 0, length: number = name.length): number {
  return finishHash(hashBytes(HASH_SEED, name, at, length), tree);
}
