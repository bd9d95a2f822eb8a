// lib/plugins/cache/block-store.ts — worker. The bytes of cached answers: chains of 128-byte blocks, each shard with its own.
//
// A block is 120 bytes of one stream and the number of the next block. The free blocks of a shard are a chain, too. Only the
// worker that holds the shard's lock writes; readers may see any mixture, so every block number is masked before use.

const BLOCK_BYTES = 128;
const BLOCK_WORDS = BLOCK_BYTES / 4;
/** Bytes of a stream in one block. */
export const PAYLOAD_BYTES = 120;
/** Even, so that a pair of words never lies in two blocks. */
export const PAYLOAD_WORDS: number = PAYLOAD_BYTES / 4;
/** Blocks of a shard: 512 bytes for each of its 256 entries, and enough for one message of 65,535 bytes with its records. */
export const SHARD_BLOCKS = 1024;
export const SHARD_BYTES: number = SHARD_BLOCKS * BLOCK_BYTES;

/** Words of a shard's state: whether its blocks are chained, its first free block, how many are free. */
const STATE = { READY: 0, FREE: 1, FREE_COUNT: 2 } as const;

/** Blocks that a stream of `bytes` takes. */
export function blocksFor(bytes: number): number {
  return Math.ceil(bytes / PAYLOAD_BYTES);
}

export class BlockStore {
  /** For reading at `wordAt` and `byteAt`. */
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  readonly #state: Int32Array;
  readonly #stateAt: number;
  readonly #stateStride: number;
  /** The stream being written. */
  #shard = 0;
  #block = 0;
  #at = 0;
  #left = 0;
  #taken = 0;

  /**
   * @param offset where the blocks of all shards start in `buffer`
   * @param state holds three words of state per shard, the first at `stateAt`, the next shard's `stateStride` words later
   */
  constructor(
    buffer: SharedArrayBuffer,
    offset: number,
    shards: number,
    state: Int32Array,
    stateAt: number,
    stateStride: number,
  ) {
    this.words = new Int32Array(buffer, offset, shards * SHARD_BLOCKS * BLOCK_WORDS);
    this.bytes = new Uint8Array(buffer, offset, shards * SHARD_BYTES);
    this.#state = state;
    this.#stateAt = stateAt;
    this.#stateStride = stateStride;
  }

  /** Index in `words` of the block's payload. */
  wordAt(shard: number, block: number): number {
    return (shard * SHARD_BLOCKS + (block & (SHARD_BLOCKS - 1))) * BLOCK_WORDS;
  }

  /** Index in `bytes` of the block's payload. */
  byteAt(shard: number, block: number): number {
    return (shard * SHARD_BLOCKS + (block & (SHARD_BLOCKS - 1))) * BLOCK_BYTES;
  }

  /** The block after this one in its chain. */
  next(shard: number, block: number): number {
    return this.words[this.wordAt(shard, block) + PAYLOAD_WORDS]!;
  }

  /** Makes a shard usable that was never used, or not since `forget`. */
  prepare(shard: number): void {
    const at = this.#stateOf(shard);
    if (this.#state[at + STATE.READY] !== 0) return;
    for (let block = 0; block < SHARD_BLOCKS; block++) this.#link(shard, block, (block + 1) & (SHARD_BLOCKS - 1));
    this.#state[at + STATE.FREE] = 0;
    this.#state[at + STATE.FREE_COUNT] = SHARD_BLOCKS;
    this.#state[at + STATE.READY] = 1;
  }

  /** All streams of the shard are gone. */
  forget(shard: number): void {
    this.#state[this.#stateOf(shard) + STATE.READY] = 0;
  }

  freeCount(shard: number): number {
    return this.#state[this.#stateOf(shard) + STATE.FREE_COUNT]!;
  }

  /** Gives back the chain of `count` blocks that starts at `first`. */
  free(shard: number, first: number, count: number): void {
    const at = this.#stateOf(shard);
    let last = first;
    for (let i = 1; i < count; i++) last = this.next(shard, last);
    this.#link(shard, last, this.#state[at + STATE.FREE]!);
    this.#state[at + STATE.FREE] = first;
    this.#state[at + STATE.FREE_COUNT]! += count;
  }

  /** Starts to write a stream on free blocks; the caller has made sure that there are enough. @returns its first block */
  begin(shard: number): number {
    this.#shard = shard;
    this.#block = this.#state[this.#stateOf(shard) + STATE.FREE]!;
    this.#at = this.byteAt(shard, this.#block);
    this.#left = PAYLOAD_BYTES;
    this.#taken = 1;
    return this.#block;
  }

  put(from: Uint8Array, at: number, length: number): void {
    const { bytes } = this;
    for (const end = at + length; at < end; ) {
      if (this.#left === 0) this.#advance();
      const stop = Math.min(end, at + this.#left);
      this.#left -= stop - at;
      let to = this.#at;
      while (at < stop) bytes[to++] = from[at++]!;
      this.#at = to;
    }
  }

  /** Writes two words; the stream must be at a multiple of eight bytes. */
  putPair(first: number, second: number): void {
    if (this.#left === 0) this.#advance();
    this.words[this.#at >>> 2] = first;
    this.words[(this.#at >>> 2) + 1] = second;
    this.#at += 8;
    this.#left -= 8;
  }

  /** Ends the stream: its blocks are no longer free. */
  end(): void {
    const at = this.#stateOf(this.#shard);
    this.#state[at + STATE.FREE] = this.next(this.#shard, this.#block);
    this.#state[at + STATE.FREE_COUNT]! -= this.#taken;
  }

  #advance(): void {
    this.#block = this.next(this.#shard, this.#block);
    this.#at = this.byteAt(this.#shard, this.#block);
    this.#left = PAYLOAD_BYTES;
    this.#taken++;
  }

  #link(shard: number, block: number, next: number): void {
    this.words[this.wordAt(shard, block) + PAYLOAD_WORDS] = next;
  }

  #stateOf(shard: number): number {
    return this.#stateAt + shard * this.#stateStride;
  }
}
