// An expression as instructions for an engine that follows all ways at once (Thompson's construction). Pure; both kinds of thread.
import { isNullable, type ParsedRegexp, type Place, type RegexpNode } from './ast.ts';
import type { CharSet } from './char-set.ts';

/** CHARS takes one character; SPLIT goes on at two places, `x` first; SAVE notes where the text is; DONE is a match. */
export const OP = { CHARS: 0, SPLIT: 1, JUMP: 2, SAVE: 3, PLACE: 4, DONE: 5 } as const;

export type Program = {
  readonly length: number;
  readonly ops: Uint8Array;
  /** Target of JUMP and SPLIT, slot of SAVE, index of CHARS and PLACE. */
  readonly xs: Int32Array;
  /** Second target of SPLIT. */
  readonly ys: Int32Array;
  readonly sets: readonly CharSet[];
  readonly places: readonly Place[];
  /** Two for the whole and two for each group. */
  readonly slots: number;
};

/** Of one expression; the work for one character is at most this. */
export const MAX_INSTRUCTIONS = 20_000;

/** @throws RangeError when there are more than `MAX_INSTRUCTIONS` */
export function compileProgram({ root, groupCount }: ParsedRegexp): Program {
  const builder = new Builder();
  builder.save(0);
  builder.node(root);
  builder.save(1);
  builder.emit(OP.DONE, 0);
  const { ops, xs, ys, sets, places } = builder;
  return {
    length: ops.length,
    ops: Uint8Array.from(ops),
    xs: Int32Array.from(xs),
    ys: Int32Array.from(ys),
    sets,
    places,
    slots: 2 * (groupCount + 1),
  };
}

class Builder {
  readonly ops: number[] = [];
  readonly xs: number[] = [];
  readonly ys: number[] = [];
  readonly sets: CharSet[] = [];
  readonly places: Place[] = [];
  readonly #setNumbers = new Map<CharSet, number>();

  emit(op: number, x: number, y = 0): number {
    if (this.ops.length >= MAX_INSTRUCTIONS) throw new RangeError('expression too large');
    this.xs.push(x);
    this.ys.push(y);
    return this.ops.push(op) - 1;
  }

  save(slot: number): void {
    this.emit(OP.SAVE, slot);
  }

  node(node: RegexpNode): void {
    switch (node.kind) {
      case 'empty':
        return;
      case 'chars':
        this.emit(OP.CHARS, this.#numberOf(node.chars));
        return;
      case 'place':
        this.emit(OP.PLACE, this.places.push(node.place) - 1);
        return;
      case 'group':
        this.save(2 * node.index);
        this.node(node.body);
        this.save(2 * node.index + 1);
        return;
      case 'sequence':
        for (const part of node.parts) this.node(part);
        return;
      case 'choice':
        this.#choice(node.parts);
        return;
      case 'repeat':
        this.#repeat(node);
    }
  }

  #numberOf(set: CharSet): number {
    const known = this.#setNumbers.get(set);
    if (known !== undefined) return known;
    const number = this.sets.push(set) - 1;
    this.#setNumbers.set(set, number);
    return number;
  }

  #choice(parts: readonly RegexpNode[]): void {
    const ends: number[] = [];
    for (const part of parts.slice(0, -1)) {
      const split = this.emit(OP.SPLIT, this.ops.length + 1);
      this.node(part);
      ends.push(this.emit(OP.JUMP, 0));
      this.ys[split] = this.ops.length;
    }
    this.node(parts.at(-1)!);
    for (const end of ends) this.xs[end] = this.ops.length;
  }

  #repeat({ body, min, max, isGreedy }: RegexpNode & { kind: 'repeat' }): void {
    for (let i = 1; i < min; i++) this.node(body);
    if (max === Number.POSITIVE_INFINITY) {
      // A round that takes nothing must not hide the way out: (x+)? does not, x* would.
      const isOptional = min === 0;
      const skip = isOptional && isNullable(body) ? this.#split() : -1;
      const start = this.ops.length;
      const enter = isOptional && skip === -1 ? this.#split() : -1;
      this.node(body);
      if (enter !== -1) this.emit(OP.JUMP, start);
      else this.#branch(this.#split(), start, this.ops.length, isGreedy);
      if (enter !== -1) this.#branch(enter, enter + 1, this.ops.length, isGreedy);
      if (skip !== -1) this.#branch(skip, skip + 1, this.ops.length, isGreedy);
      return;
    }
    if (min > 0) this.node(body);
    const splits: number[] = [];
    for (let i = min; i < max; i++) {
      splits.push(this.#split());
      this.node(body);
    }
    for (const split of splits) this.#branch(split, split + 1, this.ops.length, isGreedy);
  }

  #split(): number {
    return this.emit(OP.SPLIT, 0);
  }

  #branch(split: number, more: number, out: number, isGreedy: boolean): void {
    this.xs[split] = isGreedy ? more : out;
    this.ys[split] = isGreedy ? out : more;
  }
}
