// Cryptographically random numbers without a system call each. Worker.
import { randomFillSync } from 'node:crypto';

const BATCH = 1024;

/** Makes a source of integers in [0, 2^32). */
export function createRandom(): () => number {
  const numbers = new Uint32Array(BATCH);
  let next = BATCH;
  return () => {
    if (next === BATCH) {
      randomFillSync(numbers);
      next = 0;
    }
    return numbers[next++]!;
  };
}
