// Mappings of a YAML file, read key by key with the line of everything that is wrong. Control thread.
import fs from 'node:fs';
import path from 'node:path';
import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { ConfigError } from '../../base/errors.ts';
import { findNearest } from '../../base/nearest.ts';

/** A file and what was read beside it. */
export class YamlFile {
  readonly path: string;
  readonly files: string[];
  readonly #lines = new LineCounter();

  constructor(file: string) {
    this.path = file;
    this.files = [file];
  }

  /** The mapping that the file holds; an empty one for an empty file. @throws ConfigError `FILE` */
  read(keys: readonly string[], refused: Readonly<Record<string, string>>): YamlSection {
    const document = parseDocument(this.readText(this.path), { lineCounter: this.#lines, prettyErrors: false });
    const [fault] = document.errors;
    if (fault !== undefined) throw this.#errorAt(fault.pos[0], fault.message);
    return new YamlSection(this, document.contents, keys, refused);
  }

  /** Text of a file, relative to this one's folder. @throws ConfigError `FILE` */
  readText(name: string, at?: Node): string {
    const file = path.resolve(path.dirname(this.path), name);
    try {
      if (at) this.files.push(file);
      return fs.readFileSync(at ? file : name, 'utf8');
    } catch (error) {
      throw this.error(at, `cannot read ${name}: ${(error as Error).message}`);
    }
  }

  error(at: Node | undefined, message: string): ConfigError {
    return at?.range ? this.#errorAt(at.range[0], message) : new ConfigError('FILE', message, this.path);
  }

  #errorAt(offset: number, message: string): ConfigError {
    return new ConfigError('FILE', message, this.path, this.#lines.linePos(offset).line);
  }
}

type Entry = { readonly key: Node; readonly value: Node };

/** One mapping; keys without a value count as left out. */
export class YamlSection {
  readonly #file: YamlFile;
  readonly #at: Node | undefined;
  readonly #entries = new Map<string, Entry>();

  /**
   * @param keys that may stand in it
   * @param refused what to say of keys that are not among them
   * @throws ConfigError `FILE` for another key, and when it is no mapping
   */
  constructor(
    file: YamlFile,
    node: unknown,
    keys: readonly string[],
    refused: Readonly<Record<string, string>> = {},
    at?: Node,
  ) {
    this.#file = file;
    this.#at = at;
    if (isEmpty(node)) return;
    if (!isMap(node)) throw file.error(node as Node, 'a mapping is expected');
    for (const { key, value } of node.items as { key: Node; value: Node }[]) {
      const name = isScalar(key) ? String(key.value) : '';
      if (isEmpty(value) && (keys.includes(name) || refused[name] !== undefined)) continue;
      if (refused[name] !== undefined) throw file.error(key, `${name}: ${refused[name]}`);
      if (!keys.includes(name)) throw file.error(key, describeUnknown(name, keys));
      this.#entries.set(name, { key, value });
    }
  }

  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  /** The mapping under a key. */
  section(name: string, keys: readonly string[], refused?: Readonly<Record<string, string>>): YamlSection {
    const entry = this.#entries.get(name);
    return new YamlSection(this.#file, entry?.value, keys, refused, entry?.key);
  }

  /** A text, number or boolean as text; undefined when it is left out. */
  text(name: string): string | undefined {
    const entry = this.#entries.get(name);
    if (entry === undefined) return undefined;
    const value = isScalar(entry.value) ? entry.value.value : undefined;
    if (typeof value === 'string') return value;
    if (typeof value !== 'number' && typeof value !== 'boolean') throw this.error(name, 'expected one value');
    return String(value);
  }

  /** Texts of a list, none when it is left out. */
  list(name: string): string[] {
    const entry = this.#entries.get(name);
    if (entry === undefined) return [];
    if (!isSeq(entry.value)) throw this.error(name, 'expected a list');
    return entry.value.items.map((item) => {
      if (!isScalar(item) || typeof item.value !== 'string') throw this.error(name, 'expected a list of names');
      return item.value;
    });
  }

  /** What a word stands for. */
  choice<T>(name: string, word: string, words: Readonly<Record<string, T>>): T {
    const known = words[word];
    if (known === undefined)
      throw this.error(name, `expected ${Object.keys(words).join(' or ')}, not ${JSON.stringify(word)}`);
    return known;
  }

  /** Text of the file that is named under `NAME_file`, or that stands under `NAME` itself. */
  content(name: string): string | undefined {
    const inFile = this.text(`${name}_file`);
    if (inFile === undefined) return this.text(name);
    if (this.#entries.has(name)) throw this.error(name, `excludes ${name}_file, keep one`);
    return this.#file.readText(inFile, this.#entries.get(`${name}_file`)!.key);
  }

  /** With the line of a key, or of the section when it is left out. */
  error(name: string, message: string): ConfigError {
    return this.#file.error(this.#entries.get(name)?.key ?? this.#at, `${name}: ${message}`);
  }
}

function describeUnknown(name: string, keys: readonly string[]): string {
  const guess = findNearest(name, keys);
  const advice = guess === undefined ? `keys are ${keys.join(', ')}` : `did you mean "${guess}"?`;
  return `unknown key ${JSON.stringify(name)}, ${advice}`;
}

function isEmpty(node: unknown): boolean {
  return node === null || node === undefined || (isScalar(node) && (node.value === null || node.value === ''));
}
