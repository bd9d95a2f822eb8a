// Thrown by the writer when the arena has no room; the store stays as it was. Control thread.

export class StoreFullError extends Error {
  /** Bytes that were asked for. */
  readonly neededBytes: number;

  constructor(neededBytes: number, arenaBytes: number) {
    super(`store: no room for ${neededBytes} bytes in ${arenaBytes}`);
    this.name = 'StoreFullError';
    this.neededBytes = neededBytes;
  }
}
