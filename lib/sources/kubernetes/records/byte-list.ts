// A growing run of bytes for making rrsets; one is reused for all. Control thread.

export class ByteList {
  #bytes = new Uint8Array(1024);
  length = 0;

  clear(): this {
    this.length = 0;
    return this;
  }

  putByte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.length++] = value;
  }

  putShort(value: number): void {
    this.#reserve(2);
    this.#bytes[this.length++] = value >>> 8;
    this.#bytes[this.length++] = value;
  }

  putBytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  putLatin1(text: string): void {
    const { length } = text;
    this.#reserve(length);
    for (let i = 0; i < length; i++) this.#bytes[this.length + i] = text.charCodeAt(i);
    this.length += length;
  }

  setByte(at: number, value: number): void {
    this.#bytes[at] = value;
  }

  setShort(at: number, value: number): void {
    this.#bytes[at] = value >>> 8;
    this.#bytes[at + 1] = value;
  }

  /** A copy of what was put so far. */
  take(): Uint8Array {
    return this.#bytes.slice(0, this.length);
  }

  #reserve(size: number): void {
    if (this.length + size <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.length + size));
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}
