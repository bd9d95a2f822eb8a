// Text from outside made safe for a message: quoted, one line, nothing invisible. Both kinds of thread.

/**
 * Puts a text in double quotes with what cannot be seen escaped, so that a message shows a stray byte order mark.
 *
 * @param maxLength in UTF-16 units; a longer text is cut and ends in `...`
 */
export function quote(text: string, maxLength = 80): string {
  const shown = text.length > maxLength ? `${text.slice(0, maxLength)}...` : text;
  return JSON.stringify(shown).replaceAll(/[^\P{C}]|[^\P{Z} ]/gu, (char) => {
    const code = char.codePointAt(0)!.toString(16);
    return code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, '0')}`;
  });
}
