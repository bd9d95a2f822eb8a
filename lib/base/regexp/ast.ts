// What a regular expression is made of once it has been read. Pure; both kinds of thread.
import type { CharSet } from './char-set.ts';

/** Places that take no character. LINE_START and LINE_END are `^` and `$` with the flag m. */
export type Place = 'TEXT_START' | 'TEXT_END' | 'LINE_START' | 'LINE_END' | 'WORD_EDGE' | 'NO_WORD_EDGE';

export type RegexpNode =
  | { readonly kind: 'empty' }
  /** One character out of a set. */
  | { readonly kind: 'chars'; readonly chars: CharSet }
  | { readonly kind: 'place'; readonly place: Place }
  /** Remembers what `body` matched; groups count from 1. */
  | { readonly kind: 'group'; readonly index: number; readonly body: RegexpNode }
  | { readonly kind: 'sequence'; readonly parts: readonly RegexpNode[] }
  /** Earlier ones are preferred. */
  | { readonly kind: 'choice'; readonly parts: readonly RegexpNode[] }
  /** `max` may be infinite. */
  | {
      readonly kind: 'repeat';
      readonly body: RegexpNode;
      readonly min: number;
      readonly max: number;
      readonly isGreedy: boolean;
    };

export type ParsedRegexp = {
  readonly root: RegexpNode;
  readonly groupCount: number;
  /** Numbers of the groups that have names; of two with the same name the later one. */
  readonly groupNames: ReadonlyMap<string, number>;
};

/** Whether it can match without a character. */
export function isNullable(node: RegexpNode): boolean {
  switch (node.kind) {
    case 'empty':
    case 'place':
      return true;
    case 'chars':
      return false;
    case 'group':
      return isNullable(node.body);
    case 'sequence':
      return node.parts.every(isNullable);
    case 'choice':
      return node.parts.some(isNullable);
    case 'repeat':
      return node.min === 0 || isNullable(node.body);
  }
}

/** Length of the expression with its repetitions written out. */
export function countSteps(node: RegexpNode): number {
  switch (node.kind) {
    case 'group':
      return 2 + countSteps(node.body);
    case 'sequence':
    case 'choice':
      return node.parts.reduce((steps, part) => steps + 1 + countSteps(part), 0);
    case 'repeat':
      return (node.max === Number.POSITIVE_INFINITY ? node.min + 1 : node.max) * (1 + countSteps(node.body));
    default:
      return 1;
  }
}
