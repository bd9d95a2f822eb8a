// Key files in the form that named and tsig-keygen write: key "name" { algorithm hmac-sha256; secret "..."; }; Control thread.

/** What is wrong and where. */
export class KeyFileError extends Error {
  /** Counted from 1. */
  readonly line: number;

  constructor(message: string, line: number) {
    super(message);
    this.name = 'KeyFileError';
    this.line = line;
  }
}

export type NamedSecret = { readonly name: string; readonly secret: string };

type Word = { readonly text: string; readonly line: number };

/**
 * Reads all keys of a file. Comments are `#` and `//` to the end of the line; `algorithm` is read over, the client names
 * the one it uses.
 *
 * @throws KeyFileError
 */
export function parseKeyFile(text: string): NamedSecret[] {
  const words = splitWords(text);
  const keys: NamedSecret[] = [];
  let at = 0;
  const take = (expected: string): Word => {
    const word = words[at++];
    if (word === undefined) throw new KeyFileError(`expected ${expected}, the file ends`, words.at(-1)?.line ?? 1);
    return word;
  };
  const expect = (text: string): void => {
    const word = take(`"${text}"`);
    if (word.text !== text) throw new KeyFileError(`expected "${text}", not "${word.text}"`, word.line);
  };
  while (at < words.length) {
    expect('key');
    const name = take('the name of a key');
    expect('{');
    let secret: string | undefined;
    for (let word = take('"secret"'); word.text !== '}'; word = take('"}"')) {
      if (word.text === ';') continue;
      const value = take('a value');
      if (word.text === 'secret') secret = value.text;
      else if (word.text !== 'algorithm') {
        throw new KeyFileError(`expected "algorithm" or "secret", not "${word.text}"`, word.line);
      }
    }
    while (words[at]?.text === ';') at++;
    if (secret === undefined) throw new KeyFileError(`the key ${name.text} has no secret`, name.line);
    keys.push({ name: name.text, secret });
  }
  return keys;
}

/** Words, quotes taken off, with braces and semicolons as words of their own. */
function splitWords(text: string): Word[] {
  return text.split('\n').flatMap((content, index) => {
    const words = content.replace(/(?:#|\/\/ ).*$/, '').match(/"[^"]*"|[{};]|[^\s{};"]+/g) ?? [];
    return words.map((word) => ({ text: word.replaceAll('"', ''), line: index + 1 }));
  });
}
