// Cuts the items out of a Kubernetes List while its bytes arrive, without ever holding the text of the whole. Control thread.

/** The body is not a List, is cut short, or has an item or a field over its bound. */
export class ListFormatError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ListFormatError';
  }
}

/** What stands beside the items. */
export type ListMetadata = { readonly resourceVersion: string; readonly continueToken: string };

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** The largest key or value kept of the List itself, beside its items. */
const MAX_FIELD_BYTES = 65_536;
/** Where a piece of text (a key, a value, an item) is not being kept. */
const NO_PIECE = -1;

/**
 * A scanner over bytes: it follows strings and nesting only and leaves each item to JSON.parse. Every complete element
 * of `items` is handed to `onItem` at once; the buffer is valid during the call.
 */
export class ListScanner {
  readonly #onItem: (json: Buffer) => void;
  readonly #maxItemBytes: number;
  #depth = 0;
  #inString = false;
  #escaped = false;
  #expectsKey = true;
  #key = '';
  #inItems = false;
  #sawItems = false;
  #ended = false;
  /** Nesting at which the piece being kept began; NO_PIECE when none is. */
  #pieceDepth = NO_PIECE;
  /** The piece is a number, `true`, `false` or `null`: it ends before the byte that follows. */
  #pieceIsBare = false;
  #pieceStart = 0;
  #parts: Buffer[] = [];
  #partBytes = 0;
  #metadata: ListMetadata = { resourceVersion: '', continueToken: '' };

  constructor(onItem: (json: Buffer) => void, maxItemBytes: number) {
    this.#onItem = onItem;
    this.#maxItemBytes = maxItemBytes;
  }

  /** @throws ListFormatError; SyntaxError for a broken key; whatever `onItem` throws */
  push(bytes: Uint8Array): void {
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#pieceStart = 0;
    for (let at = 0; at < chunk.length; at++) {
      if (this.#inString) {
        at = this.#skipString(chunk, at);
        if (!this.#inString && this.#pieceDepth === this.#depth) this.#endPiece(chunk, at + 1);
        continue;
      }
      const byte = chunk[at]!;
      if (byte <= 0x20 || byte === COMMA || byte === COLON) this.#separate(chunk, at, byte);
      else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) this.#close(chunk, at);
      else this.#begin(at, byte);
    }
    if (this.#pieceDepth !== NO_PIECE) this.#keep(Buffer.from(chunk.subarray(this.#pieceStart)));
  }

  /**
   * What was found beside the items.
   * @throws ListFormatError when the body ended early or has no `items`
   */
  finish(): ListMetadata {
    if (!this.#ended) throw new ListFormatError('the list ends early');
    if (!this.#sawItems) throw new ListFormatError('the answer is not a list');
    return this.#metadata;
  }

  /** @returns offset of the closing quote, or of the chunk's last byte while the string goes on */
  #skipString(chunk: Buffer, from: number): number {
    for (let at = from; at < chunk.length; at++) {
      if (this.#escaped) {
        this.#escaped = false;
        continue;
      }
      const byte = chunk[at]!;
      if (byte === BACKSLASH) this.#escaped = true;
      else if (byte === QUOTE) {
        this.#inString = false;
        return at;
      }
    }
    return chunk.length - 1;
  }

  #begin(at: number, byte: number): void {
    const opens = byte === OPEN_BRACE || byte === OPEN_BRACKET;
    if (this.#ended || (this.#depth === 0 && byte !== OPEN_BRACE))
      throw new ListFormatError('the answer is not a list');
    if (byte === OPEN_BRACKET && this.#depth === 1 && !this.#expectsKey && this.#key === 'items') {
      this.#inItems = true;
      this.#sawItems = true;
    } else if (this.#pieceDepth === NO_PIECE && (this.#depth === 1 || (this.#inItems && this.#depth === 2))) {
      this.#pieceDepth = this.#depth;
      this.#pieceStart = at;
      this.#pieceIsBare = !opens && byte !== QUOTE;
    }
    if (opens) this.#depth++;
    else if (byte === QUOTE) this.#inString = true;
  }

  #separate(chunk: Buffer, at: number, byte: number): void {
    if (this.#pieceIsBare) this.#endPiece(chunk, at);
    if (this.#depth !== 1) return;
    if (byte === COMMA) this.#expectsKey = true;
    else if (byte === COLON) this.#expectsKey = false;
  }

  #close(chunk: Buffer, at: number): void {
    if (this.#pieceIsBare) this.#endPiece(chunk, at);
    if (this.#depth === 0) throw new ListFormatError('the answer is not a list');
    this.#depth--;
    if (this.#pieceDepth === this.#depth) this.#endPiece(chunk, at + 1);
    else if (this.#depth === 1) this.#inItems = false;
    else if (this.#depth === 0) this.#ended = true;
  }

  #keep(part: Buffer): void {
    const limit = this.#inItems ? this.#maxItemBytes : MAX_FIELD_BYTES;
    if (this.#partBytes + part.length > limit) throw new ListFormatError(`a value is longer than ${limit} bytes`);
    this.#parts.push(part);
    this.#partBytes += part.length;
  }

  #endPiece(chunk: Buffer, end: number): void {
    let piece = chunk.subarray(this.#pieceStart, end);
    if (this.#partBytes > 0) {
      this.#keep(piece);
      piece = Buffer.concat(this.#parts, this.#partBytes);
      this.#parts = [];
      this.#partBytes = 0;
    }
    this.#pieceDepth = NO_PIECE;
    this.#pieceIsBare = false;
    if (this.#inItems) this.#onItem(piece);
    else if (this.#expectsKey) this.#key = String(JSON.parse(piece.toString()));
    else if (this.#key === 'items') this.#sawItems = piece.toString() === 'null';
    else if (this.#key === 'metadata') this.#metadata = readListMetadata(JSON.parse(piece.toString()));
  }
}

function readListMetadata(raw: unknown): ListMetadata {
  const { resourceVersion, continue: token } = (raw ?? {}) as { resourceVersion?: unknown; continue?: unknown };
  return {
    resourceVersion: typeof resourceVersion === 'string' ? resourceVersion : '',
    continueToken: typeof token === 'string' ? token : '',
  };
}
