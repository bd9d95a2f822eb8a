// lib/plugins/forward/client-counts.ts — both kinds of thread. How many queries each client has under way, in all workers together.
//
// Not a table of clients, which strangers could fill: a client's count is the lower one of two cells, each picked by a hash of
// its address. Two clients share both in one of four million cases, and then share their limit. Each worker writes only a row
// of its own, and who wants to know a sum adds up the rows.
import type { Query } from '../../chain/query.ts';
import { HASH_SEED } from '../../store/layout.ts';
import { finishHash, hashBytes } from '../../wire/hash.ts';

const CELL_BITS = 11;
const CELLS = 1 << CELL_BITS;
/** Two tables of cells. */
const ROW_WORDS = 2 * CELLS;

/** Words that the rows of so many workers take; a row that no worker writes costs no memory. */
export function clientCountWords(workers: number): number {
  return workers * ROW_WORDS;
}

export class ClientCounts {
  readonly #words: Int32Array;
  readonly #own: number;

  /** @param words one row for each worker that there may be @param worker its row is cleared: it starts with nothing under way */
  constructor(words: Int32Array, worker: number) {
    this.#words = words;
    this.#own = worker * ROW_WORDS;
    words.fill(0, this.#own, this.#own + ROW_WORDS);
  }

  /** The cells of the client as one number: by its IPv4 address, or by the IPv6 /64 that one host can choose from. */
  cellsOf({ clientAddress, family }: Query): number {
    const hash = hashBytes(HASH_SEED, clientAddress, 0, family === 4 ? 4 : 8);
    return finishHash(hash, 0) >>> (32 - 2 * CELL_BITS);
  }

  /** Queries of the client that are under way. @param workers rows that are in use */
  underWay(cells: number, workers: number): number {
    const first = cells & (CELLS - 1);
    const second = CELLS + (cells >>> CELL_BITS);
    let firstSum = 0;
    let secondSum = 0;
    for (let row = 0; row < workers * ROW_WORDS; row += ROW_WORDS) {
      firstSum += this.#words[row + first]!;
      secondSum += this.#words[row + second]!;
    }
    return Math.min(firstSum, secondSum);
  }

  add(cells: number, by: 1 | -1): void {
    this.#words[this.#own + (cells & (CELLS - 1))]! += by;
    this.#words[this.#own + CELLS + (cells >>> CELL_BITS)]! += by;
  }
}
