// Finds the word someone probably meant. Control thread, only while an error message is made.

/** Words longer than this are not compared; keeps the work for a hostile Corefile small. */
const MAX_WORD_LENGTH = 64;

/**
 * The known word with the fewest typing errors (inserted, dropped, changed or swapped letters), ignoring letter case.
 *
 * @returns undefined when no word is close: at most one error for words up to 5 letters, two up to 9, three above
 */
export function findNearest(word: string, known: Iterable<string>): string | undefined {
  if (word.length > MAX_WORD_LENGTH) return undefined;
  const wanted = word.toLowerCase();
  const allowed = wanted.length <= 5 ? 1 : wanted.length <= 9 ? 2 : 3;
  let best: string | undefined;
  let bestErrors = allowed + 1;
  for (const candidate of known) {
    if (Math.abs(candidate.length - wanted.length) > allowed) continue;
    const errors = countTypingErrors(wanted, candidate.toLowerCase());
    // All letters replaced is not a resemblance.
    if (errors < bestErrors && errors < Math.max(candidate.length, wanted.length)) {
      best = candidate;
      bestErrors = errors;
    }
  }
  return best;
}

/** Optimal string alignment distance (Damerau-Levenshtein without editing a swapped pair again). */
function countTypingErrors(from: string, to: string): number {
  let twoAbove: number[] = [];
  let above: number[] = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current: number[] = [row];
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1];
      let errors = Math.min(above[column]! + 1, current[column - 1]! + 1, above[column - 1]! + (same ? 0 : 1));
      if (row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]) {
        errors = Math.min(errors, twoAbove[column - 2]! + 1);
      }
      current.push(errors);
    }
    twoAbove = above;
    above = current;
  }
  return above[to.length]!;
}
