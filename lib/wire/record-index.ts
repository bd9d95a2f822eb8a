// Where the records of one message are: four numbers a record in one Int32Array, no object per record. Pure.

/** Sections in the order of the message; the values index `RecordIndex.counts`. */
export const SECTION = { ANSWER: 0, AUTHORITY: 1, ADDITIONAL: 2 } as const;
export type Section = (typeof SECTION)[keyof typeof SECTION];

const STRIDE = 4;
/** Enough for most messages. An index stays as large as it became; there is one for each query that waits. */
const FIRST_CAPACITY = 8;
const COUNTS_BYTES = 16;

/** Offsets count from the start of the message. OPT is never indexed. */
export class RecordIndex {
  readonly #memory = new ArrayBuffer(COUNTS_BYTES + FIRST_CAPACITY * STRIDE * 4);
  #cells = new Int32Array(this.#memory, COUNTS_BYTES);
  /** Records so far, all sections. */
  count = 0;
  /** Records per section, indexed by `SECTION`. */
  readonly counts: Int32Array = new Int32Array(this.#memory, 0, 3);

  clear(): void {
    this.count = 0;
    this.counts[0] = 0;
    this.counts[1] = 0;
    this.counts[2] = 0;
  }

  /** Appends a record to `section`; sections must come in message order. */
  push(section: Section, ownerAt: number, type: number, ttlAt: number, rdataLength: number): void {
    let cell = this.count * STRIDE;
    if (cell === this.#cells.length) this.#grow();
    const cells = this.#cells;
    cells[cell++] = ownerAt;
    cells[cell++] = type;
    cells[cell++] = ttlAt;
    cells[cell] = rdataLength;
    this.count++;
    this.counts[section]!++;
  }

  #grow(): void {
    const larger = new Int32Array(this.#cells.length * 2);
    larger.set(this.#cells);
    this.#cells = larger;
  }

  /** Where the owner name of record `i` starts. */
  ownerAt(i: number): number {
    return this.#cells[i * STRIDE]!;
  }

  type(i: number): number {
    return this.#cells[i * STRIDE + 1]!;
  }

  /** Where the TTL (4 bytes) stands; the type is 4 bytes and the class 2 bytes before it. */
  ttlAt(i: number): number {
    return this.#cells[i * STRIDE + 2]!;
  }

  rdataAt(i: number): number {
    return this.#cells[i * STRIDE + 2]! + 6;
  }

  rdataLength(i: number): number {
    return this.#cells[i * STRIDE + 3]!;
  }

  /** Offset after record `i`. */
  endAt(i: number): number {
    return this.rdataAt(i) + this.#cells[i * STRIDE + 3]!;
  }

  /** Section of record `i`. */
  section(i: number): Section {
    if (i < this.counts[0]!) return SECTION.ANSWER;
    return i < this.counts[0]! + this.counts[1]! ? SECTION.AUTHORITY : SECTION.ADDITIONAL;
  }

  /** Forgets the records from `count` on. */
  truncate(count: number): void {
    for (; this.count > count; this.count--) this.counts[this.section(this.count - 1)]!--;
  }

  /** Takes over all entries of `other`, offsets moved by `shift`. */
  copyFrom(other: RecordIndex, shift = 0): void {
    this.clear();
    for (let i = 0; i < other.count; i++) {
      this.push(
        other.section(i),
        other.ownerAt(i) + shift,
        other.type(i),
        other.ttlAt(i) + shift,
        other.rdataLength(i),
      );
    }
  }
}
