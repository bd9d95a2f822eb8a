// Cryptographically random integers, a buffer of them at a time. Any thread.
import { randomFillSync } from 'node:crypto';

const words = new Uint32Array(1024);
let used = words.length;

/** In [0, 2^32). One call of the system's source serves 1,024 of them. */
export function randomUint32(): number {
  if (used === words.length) {
    randomFillSync(words);
    used = 0;
  }
  const value = words[used]!;
  words[used++] = 0;
  return value;
}

/** In [0, 65536). */
export function randomUint16(): number {
  return randomUint32() >>> 16;
}
