// Tells that something in a folder may have changed: at once by the kernel, and by looking now and then. Control thread.
import fs from 'node:fs';
import type { CancelTimer, Clock } from '../../base/clock.ts';

/** Several events of one change (editors, `kubectl cp`) are told once. */
const SETTLE_MS = 50;

export class FolderWatch {
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #pollMs: number;
  readonly #onChange: () => void;
  #watcher: fs.FSWatcher | undefined;
  #cancelPoll: CancelTimer | undefined;
  #cancelSettle: CancelTimer | undefined;
  #stopped = false;

  /** @param onChange called also when nothing changed: compare what you read */
  constructor(folder: string, clock: Clock, pollMs: number, onChange: () => void) {
    this.#folder = folder;
    this.#clock = clock;
    this.#pollMs = pollMs;
    this.#onChange = onChange;
  }

  start(): void {
    this.#open();
    this.#poll();
  }

  stop(): void {
    this.#stopped = true;
    this.#watcher?.close();
    this.#cancelPoll?.();
    this.#cancelSettle?.();
  }

  #open(): void {
    try {
      this.#watcher = fs.watch(this.#folder, { persistent: false }, () => this.#settle());
      this.#watcher.on('error', () => this.#lose());
    } catch {
      // No folder yet, or no watches left: looking now and then finds it.
      this.#watcher = undefined;
    }
  }

  #lose(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  #settle(): void {
    this.#cancelSettle ??= this.#clock.after(SETTLE_MS, () => {
      this.#cancelSettle = undefined;
      if (!this.#stopped) this.#onChange();
    });
  }

  #poll(): void {
    this.#cancelPoll = this.#clock.after(this.#pollMs, () => {
      if (this.#stopped) return;
      if (this.#watcher === undefined) this.#open();
      this.#onChange();
      this.#poll();
    });
  }
}
