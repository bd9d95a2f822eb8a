// `_port._protocol` in front of a name: the underscores may be missing in a question (CoreDNS strips them). Worker.
import type { Query } from './query.ts';

const UNDERSCORE = 0x5f;

/** Whether both of the first two labels start with an underscore. */
export function hasBothUnderscores({ name, labelAt }: Query): boolean {
  return name[1] === UNDERSCORE && name[labelAt[1]! + 1] === UNDERSCORE;
}

/** Whether neither of the first two labels does. */
export function hasNoUnderscores({ name, labelAt }: Query): boolean {
  return name[1] !== UNDERSCORE && name[labelAt[1]! + 1] !== UNDERSCORE;
}

/**
 * Writes the first `relativeLength` bytes of the name with an underscore in front of each of its first two labels.
 * @param into at least 2 bytes more than that
 * @returns bytes written
 */
export function writePortName({ name }: Query, relativeLength: number, into: Uint8Array): number {
  let length = 0;
  let from = 0;
  for (let label = 0; label < 2; label++) {
    const size = name[from++]!;
    const hasUnderscore = name[from] === UNDERSCORE;
    into[length++] = hasUnderscore ? size : size + 1;
    if (!hasUnderscore) into[length++] = UNDERSCORE;
    for (const end = from + size; from < end; from++) into[length++] = name[from]!;
  }
  while (from < relativeLength) into[length++] = name[from++]!;
  return length;
}
