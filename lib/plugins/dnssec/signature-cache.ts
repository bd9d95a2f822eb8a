// Signatures made before, by what they sign. Bounded: of two turns of the queue the one without a hit goes. Worker.

type Entry = { readonly signatures: readonly Uint8Array[]; readonly renewSeconds: number; wasUsed: boolean };

export class SignatureCache {
  readonly #capacity: number;
  /** In the order in which they are looked at for their end. */
  readonly #entries = new Map<string, Entry>();

  /** @param capacity RRsets; 0 keeps nothing */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Data of RRSIG records, or undefined when there are none or they are to be renewed. */
  find(key: string, nowSeconds: number): readonly Uint8Array[] | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (nowSeconds >= entry.renewSeconds) {
      this.#entries.delete(key);
      return undefined;
    }
    entry.wasUsed = true;
    return entry.signatures;
  }

  /** @param renewSeconds since 1970, when the signatures are not given any more */
  keep(key: string, signatures: readonly Uint8Array[], renewSeconds: number): void {
    if (this.#capacity === 0) return;
    if (this.#entries.size >= this.#capacity && !this.#entries.has(key)) this.#evict();
    this.#entries.set(key, { signatures, renewSeconds, wasUsed: false });
  }

  /** Names that nobody asks for twice must not drive out those that many ask for. */
  #evict(): void {
    for (const [key, entry] of this.#entries) {
      this.#entries.delete(key);
      if (!entry.wasUsed) return;
      entry.wasUsed = false;
      this.#entries.set(key, entry);
    }
  }
}
