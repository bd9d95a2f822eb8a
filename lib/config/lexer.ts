// Corefile text -> words. Control thread.
import type { Token } from './directive.ts';

const BYTE_ORDER_MARK = '\ufeff';
/** What parts words: Unicode white space as Go sees it (U+0085 yes, U+FEFF no). */
const BLANK = /[\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

/**
 * Parts a text into words with their lines.
 *
 * A word ends at white space. `"` at the start of a word opens a quoted one: it ends at the next `"`, `\"` stands for a
 * quote and every other backslash for itself; one that is never closed takes the rest of the text. `#` outside quotes
 * starts a comment, also within a word: there it lasts to the end of the word. Carriage returns outside quotes and a
 * byte order mark at the start are dropped.
 *
 * @param file path that every word carries
 */
export function splitWords(text: string, file: string): Token[] {
  const tokens: Token[] = [];
  const end = text.length;
  let line = 1;
  let at = text.startsWith(BYTE_ORDER_MARK) ? 1 : 0;
  while (at < end) {
    const char = text[at]!;
    if (char === '"') {
      const quoted = readQuoted(text, at + 1);
      // A lone quote at the very end makes no word.
      if (quoted.closed || quoted.value !== '') tokens.push({ text: quoted.value, file, line });
      line += countNewlines(text, at, quoted.end);
      at = quoted.end;
    } else if (char === '#') {
      const newline = text.indexOf('\n', at);
      at = newline === -1 ? end : newline;
    } else if (BLANK.test(char)) {
      if (char === '\n') line++;
      at++;
    } else {
      const word = readWord(text, at);
      tokens.push({ text: word.value, file, line });
      at = word.end;
    }
  }
  return tokens;
}

/** Reads to the white space that ends the word; a carriage return does not. */
function readWord(text: string, start: number): { value: string; end: number } {
  let value = '';
  let at = start;
  let isComment = false;
  for (; at < text.length; at++) {
    const char = text[at]!;
    if (char === '\r') continue;
    if (BLANK.test(char)) break;
    if (char === '#') isComment = true;
    if (!isComment) value += char;
  }
  return { value, end: at };
}

/** Reads from after the opening quote to after the closing one. */
function readQuoted(text: string, start: number): { value: string; end: number; closed: boolean } {
  let value = '';
  for (let at = start; at < text.length; at++) {
    const char = text[at]!;
    if (char === '"') return { value, end: at + 1, closed: true };
    if (char === '\\') {
      if (++at === text.length) break;
      value += text[at] === '"' ? '"' : `\\${text[at]}`;
    } else {
      value += char;
    }
  }
  return { value, end: text.length, closed: false };
}

function countNewlines(text: string, start: number, end: number): number {
  let count = 0;
  for (let at = text.indexOf('\n', start); at !== -1 && at < end; at = text.indexOf('\n', at + 1)) count++;
  return count;
}
