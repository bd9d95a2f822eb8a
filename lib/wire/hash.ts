// The hash of a name's bytes, computed label by label from the left so that every prefix of a name has its hash for free. Pure.
//
// FNV-1a over the lower-case wire form (length bytes included), with a rotation after each byte, started from a seed that is
// drawn once per process, so that nobody outside can choose names that collide. Without the rotation the low byte of the state
// never sees the other three: names that collide for one seed would collide for every 256th.

const PRIME = 0x01000193;

/** Adds `length` bytes to a running hash. */
export function hashBytes(state: number, bytes: Uint8Array, at: number, length: number): number {
  for (const end = at + length; at < end; at++) {
    state = Math.imul(state ^ bytes[at]!, PRIME);
    state = (state << 15) | (state >>> 17);
  }
  return state;
}

/** Adds one byte to a running hash. */
export function hashByte(state: number, byte: number): number {
  state = Math.imul(state ^ byte, PRIME);
  return (state << 15) | (state >>> 17);
}

/** Turns a running hash into a table index source: every input bit reaches the low bits. `salt` tells trees apart. */
export function finishHash(state: number, salt: number): number {
  let hash = state ^ Math.imul(salt, 0x9e3779b1);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
