// Records what a whole-program test found: one line a check, totals at the end. Main thread of a test program.

/** A check that found something else than it asked for. */
export class CheckFailed extends Error {}

/** @throws CheckFailed with `message` unless `condition` holds. */
export function expect(condition, message) {
  if (!condition) throw new CheckFailed(message);
}

/** @throws CheckFailed showing both values unless they are equal as JSON. */
export function expectEqual(actual, wanted, what = 'value') {
  const [a, w] = [JSON.stringify(actual), JSON.stringify(wanted)];
  if (a !== w) throw new CheckFailed(`${what}: got ${shorten(a)}, want ${shorten(w)}`);
}

/** The different texts of a list in byte order, for comparing what has no order. */
export function sortUnique(texts) {
  return [...new Set(texts)].sort((a, b) => (a < b ? -1 : Number(a > b)));
}

function shorten(text) {
  const shown = text ?? 'undefined';
  return shown.length > 600 ? `${shown.slice(0, 600)}...` : shown;
}

/** Counts of one run; `only` (a regular expression) leaves out the checks whose full title does not match. */
export class Checks {
  passed = 0;
  failed = 0;
  skipped = 0;
  #area = '';
  #only;

  constructor(only) {
    this.#only = only;
  }

  area(name) {
    this.#area = name;
  }

  /** Runs one check; `body` may return a text with the figures it saw. */
  async check(title, body) {
    const full = `${this.#area}: ${title}`;
    if (this.#only !== undefined && !this.#only.test(full)) return;
    const startMs = Date.now();
    try {
      const seen = await body();
      this.passed++;
      print(`ok      ${full}${typeof seen === 'string' ? ` (${seen})` : ''} ${Date.now() - startMs} ms`);
    } catch (error) {
      this.failed++;
      print(`FAILED  ${full}\n        ${describe(error)}`);
    }
  }

  skip(title, reason) {
    this.skipped++;
    print(`skipped ${this.#area}: ${title}: ${reason}`);
  }

  /** Prints the totals and returns the exit status. */
  finish() {
    print(`${this.passed} passed, ${this.failed} failed${this.skipped > 0 ? `, ${this.skipped} skipped` : ''}`);
    return this.failed === 0 ? 0 : 1;
  }
}

function describe(error) {
  const text = error instanceof CheckFailed ? error.message : (error?.stack ?? String(error));
  return text.replaceAll('\n', '\n        ');
}

function print(line) {
  process.stdout.write(`${line}\n`);
}
