// The search list of a resolv.conf (resolv.conf(5)). Control thread.
import { formatName, parseNameLower } from '../wire/name.ts';

/** @returns absolute names in lower case; of several `search` or `domain` lines the last counts. What is no name is left out */
export function readSearchDomains(text: string): string[] {
  let words: string[] = [];
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line.trim().split(/\s+/);
    if (keyword === 'search') words = values;
    else if (keyword === 'domain') words = values.slice(0, 1);
  }
  return words.flatMap((word) => {
    const name = parseNameLower(word);
    return name === undefined ? [] : [formatName(name)];
  });
}
