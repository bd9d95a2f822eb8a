// Runs a program over a text once, from left to right, following all ways at the same time: the work is the text's length times
// the program's, whatever they are (Pike's way, with the preferences of Perl). Both kinds of thread.
import type { Place } from './ast.ts';
import { type CharSet, TABLE_SIZE } from './char-set.ts';
import { OP, type Program } from './program.ts';

/** Places in the program that are waiting for the same character, most preferred first, with what each has noted. */
class Ways {
  readonly places: Int32Array;
  readonly slots: Int32Array;
  /** Round in which a place was added last. */
  readonly seen: Int32Array;
  count = 0;
  round = 0;

  constructor(length: number, slots: number) {
    this.places = new Int32Array(length);
    this.slots = new Int32Array(length * slots);
    this.seen = new Int32Array(length);
  }

  clear(): void {
    this.count = 0;
    this.round++;
  }
}

export class LinearMatcher {
  readonly #program: Program;
  #now: Ways;
  #next: Ways;
  readonly #noted: Int32Array;
  readonly #stack: number[] = [];
  readonly #found: Int32Array;
  #text = '';

  constructor(program: Program) {
    this.#program = program;
    this.#now = new Ways(program.length, program.slots);
    this.#next = new Ways(program.length, program.slots);
    this.#noted = new Int32Array(program.slots);
    this.#found = new Int32Array(program.slots);
  }

  /**
   * The match that begins first, and of those the one Perl would find.
   *
   * @returns start and end of the whole and of each group, -1 for one that took no part; valid until the next call
   */
  match(text: string): Int32Array | undefined {
    this.#text = text;
    let isFound = false;
    this.#now.clear();
    for (let at = 0; ; ) {
      if (!isFound) this.#follow(this.#now, 0, at);
      if (this.#now.count === 0 && isFound) break;
      const codePoint = at < text.length ? text.codePointAt(at)! : -1;
      const after = at + (codePoint > 0xffff ? 2 : 1);
      if (this.#step(codePoint, after)) isFound = true;
      if (codePoint === -1) break;
      [this.#now, this.#next] = [this.#next, this.#now];
      at = after;
    }
    this.#text = '';
    return isFound ? this.#found : undefined;
  }

  /** Takes one character (-1: none is left) on all ways into `#next`; true when a match has ended before it. */
  #step(codePoint: number, after: number): boolean {
    const { ops, xs, sets, slots } = this.#program;
    const now = this.#now;
    this.#next.clear();
    for (let i = 0; i < now.count; i++) {
      const place = now.places[i]!;
      const base = place * slots;
      if (ops[place] === OP.DONE) {
        for (let slot = 0; slot < slots; slot++) this.#found[slot] = now.slots[base + slot]!;
        // Ways behind this one are less preferred.
        return true;
      }
      if (codePoint === -1 || !hasMember(sets[xs[place]!]!, codePoint)) continue;
      for (let slot = 0; slot < slots; slot++) this.#noted[slot] = now.slots[base + slot]!;
      this.#follow(this.#next, place + 1, after, true);
    }
    return false;
  }

  /** Adds all places that are reached from `start` without taking a character. */
  #follow(ways: Ways, start: number, at: number, hasNotes = false): void {
    const { ops, xs, ys, places, slots } = this.#program;
    const noted = this.#noted;
    const stack = this.#stack;
    if (!hasNotes) noted.fill(-1);
    stack.push(start);
    while (stack.length > 0) {
      const place = stack.pop()!;
      if (place < 0) {
        // The way that had noted something in this slot is through.
        noted[-1 - place] = stack.pop()!;
        continue;
      }
      if (ways.seen[place] === ways.round) continue;
      ways.seen[place] = ways.round;
      switch (ops[place]) {
        case OP.JUMP:
          stack.push(xs[place]!);
          break;
        case OP.SPLIT:
          stack.push(ys[place]!, xs[place]!);
          break;
        case OP.SAVE: {
          const slot = xs[place]!;
          stack.push(noted[slot]!, -1 - slot, place + 1);
          noted[slot] = at;
          break;
        }
        case OP.PLACE:
          if (isAt(places[xs[place]!]!, this.#text, at)) stack.push(place + 1);
          break;
        default:
          ways.slots.set(noted, place * slots);
          ways.places[ways.count++] = place;
      }
    }
  }
}

function hasMember({ table, isWide, pattern }: CharSet, codePoint: number): boolean {
  if (codePoint < TABLE_SIZE) return table[codePoint] === 1;
  return isWide && pattern.test(String.fromCodePoint(codePoint));
}

function isAt(place: Place, text: string, at: number): boolean {
  switch (place) {
    case 'TEXT_START':
      return at === 0;
    case 'TEXT_END':
      return at === text.length;
    case 'LINE_START':
      return at === 0 || text[at - 1] === '\n';
    case 'LINE_END':
      return at === text.length || text[at] === '\n';
    default:
      return (isWord(text, at - 1) === isWord(text, at)) === (place === 'NO_WORD_EDGE');
  }
}

/** ASCII, as in Go. */
function isWord(text: string, at: number): boolean {
  return at >= 0 && at < text.length && /\w/.test(text[at]!);
}
