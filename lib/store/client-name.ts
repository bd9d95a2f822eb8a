// Key of a client's address in a tree of clients: one label of hexadecimal digits. Both kinds of thread.

const DIGITS = Buffer.from('0123456789abcdef', 'latin1');

/** Bytes of the longest key. */
export const MAX_CLIENT_NAME_LENGTH = 33;

/**
 * Writes the key of an address.
 * @param size 4 or 16 bytes of `address` count
 * @returns length of the key
 */
export function writeClientName(address: Uint8Array, size: number, into: Uint8Array): number {
  let to = 0;
  into[to++] = 2 * size;
  for (let i = 0; i < size; i++) {
    into[to++] = DIGITS[address[i]! >>> 4]!;
    into[to++] = DIGITS[address[i]! & 15]!;
  }
  return to;
}

/** The key of an address of 4 or 16 bytes. */
export function clientName(address: Uint8Array): Uint8Array {
  const name = new Uint8Array(1 + 2 * address.length);
  writeClientName(address, address.length, name);
  return name;
}
