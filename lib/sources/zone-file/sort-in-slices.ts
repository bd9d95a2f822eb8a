// Sorting a large list without keeping the thread for long. Control thread.

/** Sorted in one go: about 2 ms. */
const RUN_LENGTH = 4096;
/** Merged between two yields: about 2 ms. */
const MERGED_PER_SLICE = 16_384;

/** Sorts strings by code units; yields after every few milliseconds of work. */
export function* sortInSlices(list: readonly string[]): Generator<void, string[]> {
  let runs: string[][] = [];
  for (let at = 0; at < list.length; at += RUN_LENGTH) {
    runs.push(list.slice(at, at + RUN_LENGTH).sort(compare));
    yield;
  }
  while (runs.length > 1) {
    const merged: string[][] = [];
    for (let i = 0; i < runs.length; i += 2) {
      const right = runs[i + 1];
      merged.push(right === undefined ? runs[i]! : yield* merge(runs[i]!, right));
    }
    runs = merged;
  }
  return runs[0] ?? [];
}

function* merge(left: readonly string[], right: readonly string[]): Generator<void, string[]> {
  const merged: string[] = [];
  for (let i = 0, k = 0; i < left.length || k < right.length; ) {
    if (k === right.length || (i < left.length && left[i]! <= right[k]!)) merged.push(left[i++]!);
    else merged.push(right[k++]!);
    if (merged.length % MERGED_PER_SLICE === 0) yield;
  }
  return merged;
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
