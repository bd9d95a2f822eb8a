// Whether an address lies in one of many ranges, without allocating. Worker.
import type { AclPrefix } from './setup.ts';

/** IPv4 ranges are merged and searched by halves; IPv6 ranges are compared one by one. */
export class AddressSet {
  readonly #starts: Uint32Array;
  /** Last address of each range. */
  readonly #ends: Uint32Array;
  readonly #ipv6: readonly AclPrefix[];

  constructor(prefixes: readonly AclPrefix[]) {
    const ranges = prefixes
      .filter(({ bytes }) => bytes.length === 4)
      .map(({ bytes, length }) => {
        const start = toNumber(bytes);
        return { start, end: start + 2 ** (32 - length) - 1 };
      })
      .sort((a, b) => a.start - b.start);
    const merged: { start: number; end: number }[] = [];
    for (const range of ranges) {
      const last = merged.at(-1);
      if (last !== undefined && range.start <= last.end + 1) last.end = Math.max(last.end, range.end);
      else merged.push({ ...range });
    }
    this.#starts = Uint32Array.from(merged, ({ start }) => start);
    this.#ends = Uint32Array.from(merged, ({ end }) => end);
    this.#ipv6 = prefixes.filter(({ bytes }) => bytes.length === 16);
  }

  /** @param family 4 or 6: how many bytes of `address` count */
  has(address: Uint8Array, family: number): boolean {
    return family === 4 ? this.#hasIpv4(toNumber(address)) : this.#hasIpv6(address);
  }

  #hasIpv4(address: number): boolean {
    let low = 0;
    let high = this.#starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#starts[middle]! <= address) low = middle + 1;
      else high = middle;
    }
    return low > 0 && address <= this.#ends[low - 1]!;
  }

  #hasIpv6(address: Uint8Array): boolean {
    for (let i = 0; i < this.#ipv6.length; i++) {
      const { bytes, length } = this.#ipv6[i]!;
      const whole = length >>> 3;
      let at = 0;
      while (at < whole && address[at] === bytes[at]) at++;
      if (at < whole) continue;
      const rest = length & 7;
      if (rest === 0 || ((address[whole]! ^ bytes[whole]!) & (0xff00 >>> rest) & 0xff) === 0) return true;
    }
    return false;
  }
}

function toNumber(bytes: Uint8Array): number {
  return ((bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!) >>> 0;
}
