// `{$NAME}` and `{%NAME%}` in the Corefile. Control thread.

export type Environment = Readonly<Record<string, string | undefined>>;

/** A variable whose value holds a reference is replaced again; this many rounds prove that it never ends. */
const MAX_ROUNDS = 100;
/** In UTF-16 units; values that hold each other twice double with every round. */
const MAX_LENGTH = 1 << 20;

/**
 * Replaces references to environment variables: first all `{%NAME%}`, then all `{$NAME}`, also those that come in with a
 * value. An unset variable is an empty text. At a reference without a name replacing ends.
 *
 * @returns undefined when the variables lead back to themselves
 */
export function replaceVariables(text: string, environment: Environment): string | undefined {
  const replaced = replaceForm(text, '{%', '%}', environment);
  return replaced === undefined ? undefined : replaceForm(replaced, '{$', '}', environment);
}

function replaceForm(text: string, open: string, close: string, environment: Environment): string | undefined {
  let current = text;
  for (let round = 0; ; round++) {
    const start = current.indexOf(open);
    const nameEnd = start === -1 ? -1 : current.indexOf(close, start);
    if (nameEnd <= start + open.length) return current;
    if (round === MAX_ROUNDS) return undefined;
    const reference = current.slice(start, nameEnd + close.length);
    const value = environment[current.slice(start + open.length, nameEnd)] ?? '';
    if (value !== '' && current.split(reference, MAX_LENGTH).length * value.length > MAX_LENGTH) return undefined;
    current = current.replaceAll(reference, () => value);
  }
}
