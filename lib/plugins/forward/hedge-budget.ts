// lib/plugins/forward/hedge-budget.ts — worker. Keeps second questions a small share of the first ones, whatever upstreams do.

/** Hedges for each query that goes out, in the long run. */
const SHARE = 0.1;
/** Hedges that may be saved up for a bad moment. */
const MAX_SAVED = 20;

export class HedgeBudget {
  #saved = MAX_SAVED;

  /** A query went out. */
  earn(): void {
    this.#saved = Math.min(MAX_SAVED, this.#saved + SHARE);
  }

  /** Whether one more may be asked as well; it is paid for then. */
  spend(): boolean {
    if (this.#saved < 1) return false;
    this.#saved--;
    return true;
  }
}
