// How much work a backtracking engine may have with an expression, at worst. Pure; both kinds of thread.
//
// Such an engine tries again wherever it had a choice: more than once only where two ways begin with the same character. So what
// counts is how often the next character leaves a choice open, and whether that is inside of something that repeats.
import { isNullable, type RegexpNode } from './ast.ts';
import { TABLE_SIZE } from './char-set.ts';

export type BacktrackingCost = {
  /** Steps grow with this power of the text's length; infinite when they may double with each character. */
  readonly exponent: number;
  /** And with this factor. */
  readonly factor: number;
};

const IMPOSSIBLE: BacktrackingCost = { exponent: Number.POSITIVE_INFINITY, factor: 1 };

/** An estimate that is never too low. Groups inside of repetitions may count as infinite, see `hasStaleGroups`. */
export function backtrackingCost(root: RegexpNode): BacktrackingCost {
  if (hasStaleGroups(root, false)) return IMPOSSIBLE;
  const walk = new Walk();
  if (!walk.visit(root, END, false)) return IMPOSSIBLE;
  const exponent = (beginsAtStart(root) ? 0 : 1) + walk.openLoops + (walk.hasTail ? 1 : 0);
  return { exponent, factor: walk.factor };
}

/** Characters that may come next: table, and one place for all others. */
type Next = Uint8Array;
const WIDE = TABLE_SIZE;
const NOTHING: Next = new Uint8Array(TABLE_SIZE + 1);
const ANYTHING: Next = new Uint8Array(TABLE_SIZE + 1).fill(1);
/** Behind the expression: nothing can fail there any more. */
const END = NOTHING;

class Walk {
  /** Repetitions that can end at any of their rounds. */
  openLoops = 0;
  /** A repetition that can end at one round only follows the last one of those, or there is none of those. */
  hasTail = false;
  factor = 1;

  /**
   * From right to left.
   *
   * @param next what may follow
   * @param isRepeated inside of a repetition
   * @returns false when the steps may double with each character
   */
  visit(node: RegexpNode, next: Next, isRepeated: boolean): boolean {
    switch (node.kind) {
      case 'empty':
      case 'place':
      case 'chars':
        return true;
      case 'group':
        return this.visit(node.body, next, isRepeated);
      case 'sequence':
        return this.#sequence(node.parts, next, isRepeated);
      case 'choice':
        return this.#choice(node.parts, next, isRepeated);
      case 'repeat':
        return this.#repeat(node, next, isRepeated);
    }
  }

  #sequence(parts: readonly RegexpNode[], next: Next, isRepeated: boolean): boolean {
    let following = next;
    for (const part of parts.toReversed()) {
      if (!this.visit(part, following, isRepeated)) return false;
      following = firstOf(part, following);
    }
    return true;
  }

  #choice(parts: readonly RegexpNode[], next: Next, isRepeated: boolean): boolean {
    let seen = NOTHING;
    let isOpen = false;
    for (const part of parts) {
      const first = firstOf(part, next);
      isOpen ||= overlap(seen, first);
      seen = union(seen, first);
    }
    if (isOpen && isRepeated) return false;
    if (isOpen) this.factor *= parts.length;
    return parts.every((part) => this.visit(part, next, isRepeated));
  }

  #repeat(node: RegexpNode & { kind: 'repeat' }, next: Next, isRepeated: boolean): boolean {
    const { body, min, max } = node;
    const first = firstOf(body, next);
    const isVariable = max > min;
    if (isVariable && isNullable(body)) return false;
    const isOpen = isVariable && overlap(first, next);
    if (isOpen && isRepeated) return false;
    if (isOpen && max === 1) this.factor *= 2;
    else if (isOpen) this.openLoops++;
    else if (max > 1 && this.openLoops === 0) this.hasTail = true;
    return this.visit(body, max > 1 ? union(first, next) : next, isRepeated || max > 1);
  }
}

/** What it may begin with; with what follows when it can be empty. */
function firstOf(node: RegexpNode, next: Next): Next {
  switch (node.kind) {
    case 'empty':
      return next;
    // At the end of the text nothing follows; other places say nothing about what does.
    case 'place':
      return node.place === 'TEXT_END' ? NOTHING : ANYTHING;
    case 'chars': {
      const first = new Uint8Array(TABLE_SIZE + 1);
      first.set(node.chars.table);
      first[WIDE] = node.chars.isWide ? 1 : 0;
      return first;
    }
    case 'group':
      return firstOf(node.body, next);
    case 'sequence':
      return node.parts.reduceRight((following, part) => firstOf(part, following), next);
    case 'choice':
      return node.parts.reduce((first, part) => union(first, firstOf(part, next)), NOTHING);
    case 'repeat':
      return node.min === 0 ? union(firstOf(node.body, next), next) : firstOf(node.body, next);
  }
}

function union(a: Next, b: Next): Next {
  if (a === NOTHING) return b;
  if (b === NOTHING) return a;
  return a.map((isIn, i) => isIn | b[i]!);
}

function overlap(a: Next, b: Next): boolean {
  return a.some((isIn, i) => isIn === 1 && b[i] === 1);
}

function beginsAtStart(node: RegexpNode): boolean {
  switch (node.kind) {
    case 'place':
      return node.place === 'TEXT_START';
    case 'group':
      return beginsAtStart(node.body);
    case 'sequence':
      return beginsAtStart(node.parts[0]!);
    case 'choice':
      return node.parts.every(beginsAtStart);
    default:
      return false;
  }
}

/**
 * Whether a group may be left out by the last round of a repetition around it: JavaScript forgets then what an earlier round
 * found, Go does not.
 */
function hasStaleGroups(node: RegexpNode, isRepeated: boolean): boolean {
  switch (node.kind) {
    case 'group':
      return hasStaleGroups(node.body, isRepeated);
    case 'sequence':
      return node.parts.some((part) => hasStaleGroups(part, isRepeated));
    case 'choice':
      return node.parts.some((part) => (isRepeated ? hasGroup(part) : hasStaleGroups(part, false)));
    case 'repeat':
      if (isRepeated && node.min === 0) return hasGroup(node.body);
      return hasStaleGroups(node.body, isRepeated || node.max > 1);
    default:
      return false;
  }
}

function hasGroup(node: RegexpNode): boolean {
  switch (node.kind) {
    case 'group':
      return true;
    case 'repeat':
      return hasGroup(node.body);
    case 'sequence':
    case 'choice':
      return node.parts.some(hasGroup);
    default:
      return false;
  }
}
