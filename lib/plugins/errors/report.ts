// Decides which errors become lines and when: as they come, put together per pattern and period, or counted when they are a flood. Worker.
import type { CancelTimer, Clock } from '../../base/clock.ts';
import { compileGoRegexp, type GoRegexp } from '../../base/go-regexp.ts';
import type { Logger } from '../../base/log.ts';
import { formatDuration } from '../../config/duration.ts';
import { FloodGuard } from './flood-guard.ts';
import type { Consolidation, ErrorsLevel, ErrorsOptions } from './setup.ts';

/** Longest part of an error's text that patterns are tried on; keeps the work for a hostile pattern small. */
const MAX_MATCHED_LENGTH = 1024;

type Group = {
  readonly settings: Consolidation;
  readonly matcher: GoRegexp;
  count: number;
  cancel: CancelTimer | undefined;
};

/** The one place that turns an error into output. */
export class ErrorReport {
  readonly #groups: readonly Group[];
  readonly #guard: FloodGuard | undefined;
  readonly #clock: Clock;
  readonly #log: Logger;

  constructor({ consolidations, guard }: ErrorsOptions, clock: Clock, log: Logger) {
    this.#guard = guard && new FloodGuard(guard, clock, (line) => log.error(line));
    this.#groups = consolidations.map((settings) => ({
      settings,
      matcher: compileGoRegexp(settings.pattern),
      count: 0,
      cancel: undefined,
    }));
    this.#clock = clock;
    this.#log = log;
  }

  /** `subject` is what failed (`2 example.org. A`), made only when a line is written. */
  report(text: string, subject: () => string): void {
    const group = this.#groups.length === 0 ? undefined : this.#find(text);
    if (group === undefined) {
      if (this.#guard) this.#guard.report(text, subject);
      else this.#log.error(`${subject()}: ${text}`);
      return;
    }
    group.count++;
    if (group.count > 1) return;
    group.cancel = this.#clock.after(group.settings.periodMs, () => this.#summarize(group));
    if (group.settings.showFirst) write(this.#log, group.settings.level, `${subject()}: ${text}`);
  }

  /** Writes the summaries that are due later. */
  close(): void {
    this.#guard?.close();
    for (const group of this.#groups) {
      group.cancel?.();
      this.#summarize(group);
    }
  }

  #find(text: string): Group | undefined {
    const matched = text.length > MAX_MATCHED_LENGTH ? text.slice(0, MAX_MATCHED_LENGTH) : text;
    return this.#groups.find((group) => group.matcher.test(matched));
  }

  #summarize(group: Group): void {
    const { count, settings } = group;
    group.count = 0;
    group.cancel = undefined;
    if (count === 0 || (count === 1 && settings.showFirst)) return;
    const period = formatDuration(settings.periodMs);
    write(this.#log, settings.level, `${count} errors like '${settings.pattern}' occurred in last ${period}`);
  }
}

function write(log: Logger, level: ErrorsLevel, line: string): void {
  log[level](line);
}
