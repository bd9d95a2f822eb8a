// The names that stand in a message under construction, for compression. Pure; fixed size.
import { randomInt } from 'node:crypto';
import { finishHash, hashBytes } from './hash.ts';

/** Last offset that a compression pointer can hold (RFC 1035 section 4.1.4). */
export const MAX_POINTER_TARGET = 0x3fff;
const SLOTS = 4096;
/** Names remembered; later ones are still compressed against these. */
const MAX_ENTRIES = SLOTS / 2;
/** Slots looked at for one name. */
const MAX_PROBES = 16;
const MAX_LABELS = 128;

/** Tails of names by their bytes, letter case included so that case survives compression. */
export class CompressionTable {
  /** Offsets, 0 for an empty slot. */
  readonly #offsets = new Uint16Array(SLOTS);
  readonly #hashes = new Int32Array(SLOTS);
  /** Slots in the order in which they were filled. */
  readonly #filled = new Uint16Array(MAX_ENTRIES);
  #count = 0;
  readonly #seed = randomInt(2 ** 31);

  /** Of the name last given to `find`: where its labels start, hash of the tail from each. */
  readonly #labelAt = new Uint8Array(MAX_LABELS);
  readonly #tailHash = new Int32Array(MAX_LABELS);
  /** Labels in front of the tail that `find` found. */
  #ownLabels = 0;

  /** Entries so far; for `rollback`. */
  get count(): number {
    return this.#count;
  }

  /** Forgets the entries after the first `count`. */
  rollback(count: number): void {
    while (this.#count > count) this.#offsets[this.#filled[--this.#count]!] = 0;
  }

  /**
   * Looks for the longest tail of the wire-form name `name[at..]` that stands in the message at `message[base..]`.
   * @returns offset of the tail in the message, or -1; `ownLength` then says how many bytes of the name precede it
   */
  find(message: Uint8Array, base: number, name: Uint8Array, at: number): number {
    let labels = 0;
    let end = at;
    for (let length = name[end]!; length !== 0; length = name[end]!) {
      this.#labelAt[labels++] = end - at;
      end += length + 1;
    }
    let hash = this.#seed;
    for (let i = labels - 1; i >= 0; i--) {
      const start = at + this.#labelAt[i]!;
      hash = hashBytes(hash, name, start, name[start]! + 1);
      this.#tailHash[i] = hash;
    }
    for (let i = 0; i < labels; i++) {
      const target = this.#lookUp(message, base, name, at + this.#labelAt[i]!, this.#tailHash[i]!);
      if (target === -1) continue;
      this.#ownLabels = i;
      this.ownLength = this.#labelAt[i]!;
      return target;
    }
    this.#ownLabels = labels;
    this.ownLength = end - at;
    return -1;
  }
  /** Bytes of the name in front of the tail that `find` found; all but the root label when it found none. */
  ownLength = 0;

  /** Remembers the name last given to `find`, written at `offset` of the message. */
  remember(offset: number): void {
    for (let i = 0; i < this.#ownLabels; i++) {
      const labelOffset = offset + this.#labelAt[i]!;
      if (labelOffset > MAX_POINTER_TARGET || this.#count === MAX_ENTRIES) return;
      const hash = this.#tailHash[i]!;
      for (let probe = 0, slot = slotOf(hash); probe < MAX_PROBES; probe++, slot = (slot + 1) % SLOTS) {
        if (this.#offsets[slot] !== 0) continue;
        this.#offsets[slot] = labelOffset;
        this.#hashes[slot] = hash;
        this.#filled[this.#count++] = slot;
        break;
      }
    }
  }

  #lookUp(message: Uint8Array, base: number, name: Uint8Array, at: number, hash: number): number {
    for (let probe = 0, slot = slotOf(hash); probe < MAX_PROBES; probe++, slot = (slot + 1) % SLOTS) {
      const offset = this.#offsets[slot]!;
      if (offset === 0) return -1;
      if (this.#hashes[slot] === hash && equalInMessage(message, base, offset, name, at)) return offset;
    }
    return -1;
  }
}

function slotOf(hash: number): number {
  return finishHash(hash, 0) & (SLOTS - 1);
}

/** Whether the name that the writer put at `offset` has exactly the bytes of `name[at..]`. */
function equalInMessage(message: Uint8Array, base: number, offset: number, name: Uint8Array, at: number): boolean {
  for (;;) {
    const length = message[base + offset]!;
    if (length >= 0xc0) {
      offset = ((length & 0x3f) << 8) | message[base + offset + 1]!;
      continue;
    }
    if (length !== name[at]) return false;
    if (length === 0) return true;
    for (let i = 1; i <= length; i++) if (message[base + offset + i] !== name[at + i]) return false;
    offset += length + 1;
    at += length + 1;
  }
}
