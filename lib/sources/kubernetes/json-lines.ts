// Cuts a byte stream into lines at 0x0a, whatever the chunks look like; the text of a watch. Control thread.

const NEWLINE = 0x0a;

/** A line grew over its bound; nothing after it can be trusted to start at a line's start. */
export class LineTooLongError extends Error {
  constructor(maxLineBytes: number) {
    super(`a line is longer than ${maxLineBytes} bytes`);
    this.name = 'LineTooLongError';
  }
}

/**
 * Give it chunks with `push`, take lines with `next` until there is none, and so on. Only the last, unfinished line is
 * kept between chunks, at most `maxLineBytes` of it. Splits at the byte 0x0a alone (U+2028 is an ordinary character).
 */
export class LineSplitter {
  readonly #maxLineBytes: number;
  #chunk: Buffer | undefined;
  #offset = 0;
  #parts: Buffer[] = [];
  #partBytes = 0;

  constructor(maxLineBytes: number) {
    this.#maxLineBytes = maxLineBytes;
  }

  /** Takes the next chunk; all lines of the one before must have been taken. The chunk is not copied at once: do not change it. */
  push(chunk: Uint8Array): void {
    this.#chunk = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    this.#offset = 0;
  }

  /**
   * The next complete line without its newline; undefined when another chunk is needed.
   * @throws LineTooLongError
   */
  next(): Buffer | undefined {
    const chunk = this.#chunk;
    if (chunk === undefined) return undefined;
    const end = chunk.indexOf(NEWLINE, this.#offset);
    const rest = chunk.subarray(this.#offset, end === -1 ? chunk.length : end);
    if (this.#partBytes + rest.length > this.#maxLineBytes) throw new LineTooLongError(this.#maxLineBytes);
    if (end === -1) {
      this.#chunk = undefined;
      if (rest.length > 0) {
        // A copy: the transport may reuse its buffer, and a short rest must not keep a large chunk alive.
        this.#parts.push(Buffer.from(rest));
        this.#partBytes += rest.length;
      }
      return undefined;
    }
    this.#offset = end + 1;
    if (this.#partBytes === 0) return rest;
    this.#parts.push(rest);
    const line = Buffer.concat(this.#parts, this.#partBytes + rest.length);
    this.#parts = [];
    this.#partBytes = 0;
    return line;
  }

  /** Bytes of an unfinished line; not 0 at the end of a stream means that it was cut. */
  get pendingBytes(): number {
    return this.#partBytes;
  }
}
