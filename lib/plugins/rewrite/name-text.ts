// A query's name as text in bytes, for rules that compare parts of it: made without allocating. Worker.
import { compileGoRegexp } from '../../base/go-regexp.ts';
import { formatName } from '../../wire/name.ts';
import type { NameMatch } from './rules.ts';

const DOT = 0x2e;
/** A name in text: every byte may need an escape of four characters. */
const MAX_TEXT = 1024;

/** Text form of one name at a time. */
export class NameText {
  readonly bytes: Uint8Array = new Uint8Array(MAX_TEXT);
  length = 0;
  #text: string | undefined;

  /** @param name lower-case wire form, `size` bytes */
  set(name: Uint8Array, size: number): void {
    this.#text = undefined;
    const { bytes } = this;
    if (size === 1) {
      bytes[0] = DOT;
      this.length = 1;
      return;
    }
    let left = name[0]!;
    for (let i = 1; i < size; i++) {
      const byte = name[i]!;
      if (left-- === 0) {
        bytes[i - 1] = DOT;
        left = byte;
      } else if (isPlain(byte)) bytes[i - 1] = byte;
      else {
        this.setText(formatName(name));
        return;
      }
    }
    this.length = size - 1;
  }

  /** @param text absolute name, lower case */
  setText(text: string): void {
    this.#text = text;
    this.length = Buffer.from(this.bytes.buffer).write(text, 'latin1');
  }

  /** Allocates once per name. */
  toString(): string {
    this.#text ??= Buffer.from(this.bytes.buffer, 0, this.length).toString('latin1');
    return this.#text;
  }

  hasAt(part: Uint8Array, at: number): boolean {
    if (at < 0 || at + part.length > this.length) return false;
    for (let i = 0; i < part.length; i++) if (this.bytes[at + i] !== part[i]) return false;
    return true;
  }

  includes(part: Uint8Array): boolean {
    for (let at = 0, last = this.length - part.length; at <= last; at++) if (this.hasAt(part, at)) return true;
    return false;
  }
}

/** Letters, digits, hyphen, underscore and asterisk stand for themselves; for all others `formatName` knows. */
function isPlain(byte: number): boolean {
  return (
    (byte >= 0x61 && byte <= 0x7a) || (byte >= 0x2f && byte <= 0x39) || byte === 0x2d || byte === 0x5f || byte === 0x2a
  );
}

/** Whether a name is one that the rule is about. */
export type NameTest = (name: NameText) => boolean;

export function compileMatch({ kind, text }: NameMatch): NameTest {
  const part = Buffer.from(text, 'utf8');
  switch (kind) {
    case 'exact':
      return (name) => name.length === part.length && name.hasAt(part, 0);
    case 'prefix':
      return (name) => name.hasAt(part, 0);
    case 'suffix':
      return (name) => name.hasAt(part, name.length - part.length);
    case 'substring':
      return (name) => name.includes(part);
    default: {
      const pattern = compileGoRegexp(text);
      return (name) => pattern.test(name.toString());
    }
  }
}

/** What a name that matches becomes. */
export type NameReplacement = (name: string) => string;

export function compileReplacement({ kind, text }: NameMatch, to: string): NameReplacement {
  switch (kind) {
    case 'exact':
      return () => to;
    case 'prefix':
      return (name) => to + name.slice(text.length);
    case 'suffix':
      return (name) => name.slice(0, name.length - text.length) + to;
    case 'substring':
      return (name) => name.replaceAll(text, () => to);
    default:
      return compilePatternReplacement(text, to);
  }
}

/** The whole name becomes `to` with its groups put in; a name that does not match stays. */
export function compilePatternReplacement(pattern: string, to: string): NameReplacement {
  const matcher = compileGoRegexp(pattern);
  return (name) => {
    const match = matcher.exec(name);
    if (!match) return name;
    let result = to;
    // One after the other, as CoreDNS does: a group's text may hold a placeholder.
    for (const [i, text] of match.groups.entries()) result = result.replaceAll(`{${i}}`, () => text ?? '');
    return result;
  };
}
