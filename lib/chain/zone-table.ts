// Longest zone match for a query's name, by labels from the left. Worker; also used inside plugins with zones of their own.
import { countLabels, parseNameLower } from '../wire/name.ts';
import type { Query } from './query.ts';

/** Above this many zones of one label count a Map takes over from comparing one by one. */
const LINEAR_LIMIT = 8;

type Level = {
  readonly labels: number;
  readonly names: readonly Uint8Array[];
  /** Index of each of `names` in the list given to the constructor. */
  readonly indexes: readonly number[];
  readonly byText: ReadonlyMap<string, number> | undefined;
};

export class ZoneTable {
  readonly #levels: readonly Level[];

  /** @param zones absolute names; of equal ones the first counts. Names that are no domain names match nothing */
  constructor(zones: readonly string[]) {
    const byLabels = new Map<number, { name: Uint8Array; index: number }[]>();
    zones.forEach((zone, index) => {
      const name = parseNameLower(zone);
      if (!name) return;
      const labels = countLabels(name);
      const level = byLabels.get(labels) ?? [];
      level.push({ name, index });
      byLabels.set(labels, level);
    });
    this.#levels = [...byLabels.entries()]
      .sort((a, b) => b[0] - a[0])
      .map(([labels, entries]) => ({
        labels,
        names: entries.map((entry) => entry.name),
        indexes: entries.map((entry) => entry.index),
        byText:
          entries.length > LINEAR_LIMIT
            ? new Map(
                entries.map((entry) => [textOf(entry.name, 0, entry.name.length), entry.index] as const).reverse(),
              )
            : undefined,
      }));
  }

  /** Index of the longest zone that `query.name` is in, or -1. */
  match(query: Query): number {
    for (const level of this.#levels) {
      if (level.labels > query.labelCount) continue;
      const index = matchLevel(level, query);
      if (index !== -1) return index;
    }
    return -1;
  }

  /** Index of the shortest zone other than the root that `query.name` is in, or -1: where a DS query belongs. */
  matchShortest(query: Query): number {
    for (let i = this.#levels.length - 1; i >= 0; i--) {
      const level = this.#levels[i]!;
      if (level.labels === 0 || level.labels > query.labelCount) continue;
      const index = matchLevel(level, query);
      if (index !== -1) return index;
    }
    return -1;
  }
}

function matchLevel(level: Level, query: Query): number {
  const start = query.labelAt[query.labelCount - level.labels]!;
  const length = query.nameLength - start;
  const { name } = query;
  if (level.byText) return level.byText.get(textOf(name, start, length)) ?? -1;
  const { names } = level;
  for (let i = 0; i < names.length; i++) {
    const zone = names[i]!;
    if (zone.length !== length) continue;
    // The last bytes differ soonest between unrelated zones.
    let at = length - 1;
    while (at >= 0 && zone[at] === name[start + at]) at--;
    if (at < 0) return level.indexes[i]!;
  }
  return -1;
}

function textOf(bytes: Uint8Array, at: number, length: number): string {
  let text = '';
  for (const end = at + length; at < end; at++) text += String.fromCharCode(bytes[at]!);
  return text;
}
