// Sets of characters in a regular expression. Pure; both kinds of thread.
//
// A set is kept as the class that JavaScript writes for it, so that both ways of matching agree on its members.

/** Code points below this are looked up in a table. */
export const TABLE_SIZE = 256;

export type CharSet = {
  /** JavaScript's source, for the flag `u`. */
  readonly source: string;
  /** 1 for each member below `TABLE_SIZE`. */
  readonly table: Uint8Array;
  /** Has, or may have, members from `TABLE_SIZE` on. */
  readonly isWide: boolean;
};

/** What stands between brackets: ranges of code points (first and last by turns) and Unicode properties (`\p{L}`). */
export type ClassMembers = { readonly ranges: number[]; readonly properties: string[] };

const MAX_CODE_POINT = 0x10ffff;

/** Sets of one expression, each made once. @throws SyntaxError for a property that does not exist */
export class CharSets {
  readonly #known = new Map<string, CharSet>();

  literal(codePoint: number, ignoresCase: boolean): CharSet {
    return this.members({ ranges: [codePoint, codePoint], properties: [] }, false, ignoresCase);
  }

  members({ ranges, properties }: ClassMembers, isNegated: boolean, ignoresCase: boolean): CharSet {
    let inner = properties.join('');
    let isWide = isNegated || properties.length > 0 || ignoresCase;
    for (let i = 0; i < ranges.length; i += 2) {
      inner += `${escape(ranges[i]!)}-${escape(ranges[i + 1]!)}`;
      isWide ||= ranges[i + 1]! >= TABLE_SIZE;
    }
    const brackets = `[${isNegated ? '^' : ''}${inner}]`;
    const source = ignoresCase ? `(?i:${brackets})` : brackets;
    const known = this.#known.get(source);
    if (known) return known;
    const isPlain = properties.length === 0 && !isNegated && !ignoresCase;
    const table = isPlain ? tableOf(ranges) : tableOfMatches(new RegExp(`^${source}$`, 'u'));
    const set = { source, table, isWide };
    this.#known.set(source, set);
    return set;
  }
}

/** All code points that are in none of the ranges. */
export function complement(ranges: readonly number[]): number[] {
  const pairs: [number, number][] = [];
  for (let i = 0; i < ranges.length; i += 2) pairs.push([ranges[i]!, ranges[i + 1]!]);
  pairs.sort((a, b) => a[0] - b[0]);
  const others: number[] = [];
  let next = 0;
  for (const [first, last] of pairs) {
    if (first > next) others.push(next, first - 1);
    next = Math.max(next, last + 1);
  }
  if (next <= MAX_CODE_POINT) others.push(next, MAX_CODE_POINT);
  return others;
}

function tableOf(ranges: readonly number[]): Uint8Array {
  const table = new Uint8Array(TABLE_SIZE);
  for (let i = 0; i < ranges.length; i += 2) table.fill(1, ranges[i], Math.min(ranges[i + 1]! + 1, TABLE_SIZE));
  return table;
}

function tableOfMatches(pattern: RegExp): Uint8Array {
  return Uint8Array.from({ length: TABLE_SIZE }, (_, codePoint) =>
    pattern.test(String.fromCharCode(codePoint)) ? 1 : 0,
  );
}

function escape(codePoint: number): string {
  return `\\u{${codePoint.toString(16)}}`;
}
