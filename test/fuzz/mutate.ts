// Makes broken messages out of good ones: deterministic, so that a seed number repeats a run.

/** Random integers from a 32-bit state; the same seed gives the same sequence. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** An integer in [0, limit). */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  }
}

/** Values that sit at the edges of length and count checks. */
const EDGES = [0, 1, 2, 4, 11, 12, 63, 64, 127, 128, 191, 192, 255];

/** One to six random changes to a message of `corpus`; never over 65535 bytes. */
export function mutate(corpus: readonly Uint8Array[], random: Random): Uint8Array {
  let message: number[] = [...corpus[random.below(corpus.length)]!];
  for (let changes = 1 + random.below(6); changes > 0; changes--) message = change(message, corpus, random);
  return Uint8Array.from(message.slice(0, 65_535));
}

function change(message: number[], corpus: readonly Uint8Array[], random: Random): number[] {
  const at = random.below(message.length + 1);
  const size = 1 + random.below(20);
  switch (random.below(10)) {
    case 0:
      message[Math.min(at, Math.max(0, message.length - 1))] = random.below(256);
      return message;
    case 1:
      message[Math.min(at, Math.max(0, message.length - 1))] = EDGES[random.below(EDGES.length)]!;
      return message;
    case 2:
      if (at < message.length) message[at]! ^= 1 << random.below(8);
      return message;
    // A pointer somewhere, to somewhere near the start or just before itself.
    case 3: {
      const target = random.below(2) === 0 ? random.below(Math.max(1, at)) : 12 + random.below(40);
      message.splice(at, random.below(3), 0xc0 | ((target >>> 8) & 0x3f), target & 255);
      return message;
    }
    case 4:
      return message.slice(0, at);
    case 5:
      message.splice(at, size);
      return message;
    case 6:
      message.splice(at, 0, ...Array.from({ length: size }, () => random.below(256)));
      return message;
    // Doubles a stretch, which makes records repeat.
    case 7:
      message.splice(at, 0, ...message.slice(at, at + size * 8));
      return message;
    // The end of another message behind the start of this one.
    case 8: {
      const other = corpus[random.below(corpus.length)]!;
      return [...message.slice(0, at), ...other.subarray(random.below(other.length))];
    }
    // A count of the header, often one too many or too few.
    default: {
      const count = 5 + 2 * random.below(4);
      if (count < message.length) message[count] = (message[count]! + [1, 255, 2, 16][random.below(4)]!) & 255;
      return message;
    }
  }
}
