// Many lines to one descriptor without waiting: bytes are put into a buffer and written in batches. Worker.
import fs from 'node:fs';

/** Starts one write of `bytes[0 .. length)`; `done` gets the bytes written, or an error. Replaced in tests. */
export type WriteBytes = (
  bytes: Uint8Array,
  from: number,
  length: number,
  done: (error: NodeJS.ErrnoException | null, written: number) => void,
) => void;

/** Writes them at once, as the last act before a thread ends. */
export type WriteBytesNow = (bytes: Uint8Array, from: number, length: number) => number;

export type LineWriterOptions = {
  /** Bytes that may wait for a slow reader; lines beyond are dropped and counted. Default 256 KiB. */
  readonly queueBytes?: number;
  readonly write?: WriteBytes;
  readonly writeNow?: WriteBytesNow;
};

const DEFAULT_QUEUE_BYTES = 1 << 18;
/** Space that one line may take; longer ones are cut. */
export const MAX_LINE_BYTES = 4096;
/** A pipe that takes nothing is asked this often when the writer closes, 5 ms apart. */
const CLOSE_ATTEMPTS = 40;
const RETRY_MS = 5;

/**
 * Two buffers: one is being written while lines are put into the other. Whoever makes a line reserves space, puts bytes
 * at `bytes[at]` and commits. Nothing is allocated per line.
 */
export class LineWriter {
  /** Where the line under construction stands; taken anew after each `begin`. */
  bytes: Uint8Array;
  #used = 0;
  #other: Uint8Array;
  #writing = false;
  #scheduled = false;
  #closed = false;
  /** Lines that found no room. */
  dropped = 0;
  readonly #write: WriteBytes;
  readonly #writeNow: WriteBytesNow;

  constructor(descriptor: number, options: LineWriterOptions = {}) {
    const size = Math.max(2 * MAX_LINE_BYTES, options.queueBytes ?? DEFAULT_QUEUE_BYTES);
    this.bytes = new Uint8Array(size);
    this.#other = new Uint8Array(size);
    this.#write =
      options.write ?? ((bytes, from, length, done) => fs.write(descriptor, bytes, from, length, null, done));
    this.#writeNow = options.writeNow ?? ((bytes, from, length) => fs.writeSync(descriptor, bytes, from, length));
  }

  /** Bytes that wait to be handed to the system. */
  get pendingBytes(): number {
    return this.#used;
  }

  /** Offset in `bytes` to put a line of at most `MAX_LINE_BYTES` at, or -1 when it has to be dropped. */
  begin(): number {
    if (this.#closed || this.#used + MAX_LINE_BYTES > this.bytes.length) {
      this.dropped++;
      return -1;
    }
    return this.#used;
  }

  /** Keeps the line that ends before `end`. It is written after the current batch of packets. */
  commit(end: number): void {
    this.#used = end;
    if (this.#scheduled || this.#writing) return;
    this.#scheduled = true;
    setImmediate(this.#flush);
  }

  /** Writes what is left and takes no more lines. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    // A write under way ends on its own; its bytes come first, so the rest has to wait for it.
    if (!this.#writing) this.#drain();
  }

  readonly #flush = (): void => {
    this.#scheduled = false;
    if (this.#used === 0 || this.#writing) return;
    const full = this.bytes;
    this.bytes = this.#other;
    this.#other = full;
    const length = this.#used;
    this.#used = 0;
    this.#writing = true;
    this.#continue(full, 0, length);
  };

  #continue(bytes: Uint8Array, from: number, end: number): void {
    this.#write(bytes, from, end - from, (error, written) => {
      if (error?.code === 'EAGAIN') {
        setTimeout(() => this.#continue(bytes, from, end), RETRY_MS);
        return;
      }
      // Any other error (a closed pipe) loses this batch: answers matter more than lines.
      if (error === null && from + written < end) {
        this.#continue(bytes, from + written, end);
        return;
      }
      this.#writing = false;
      if (this.#closed) this.#drain();
      else if (this.#used > 0) this.#flush();
    });
  }

  #drain(): void {
    let from = 0;
    for (let attempts = 0; from < this.#used && attempts < CLOSE_ATTEMPTS; ) {
      try {
        from += this.#writeNow(this.bytes, from, this.#used - from);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') break;
        attempts++;
        Atomics.wait(PAUSE, 0, 0, RETRY_MS);
      }
    }
    this.#used = 0;
  }
}
const PAUSE = new Int32Array(new SharedArrayBuffer(4));
