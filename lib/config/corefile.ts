// The front door of lib/config: Corefile text -> server blocks, or the first problem with its place. Control thread.
import { createHash } from 'node:crypto';
import { ConfigError } from '../base/errors.ts';
import { findNearest } from '../base/nearest.ts';
import { quote } from '../base/quote.ts';
import { parseKey } from './address.ts';
import type { Token } from './directive.ts';
import type { Environment } from './environment.ts';
import { groupDirectives } from './group-directives.ts';
import { systemFiles, type ConfigFiles } from './import-files.ts';
import { parseBlocks, type RawBlock, type RawCorefile, type Warning } from './parser.ts';
import type { ServerBlock } from './server-block.ts';
import { isPreferredSyntax } from './zone-name.ts';

/** What the parser knows of plugins: names only. */
export type DirectiveNames = {
  /** Every directive of CoreDNS. */
  readonly all: readonly string[];
  /** Those that this program has; a block with another one is refused. */
  readonly built: ReadonlySet<string>;
  /** What to write instead of a directive that CoreDNS no longer has. */
  readonly removed: Readonly<Record<string, string>>;
  /** What to write instead of a directive that is not built. */
  readonly notBuilt?: Readonly<Record<string, string>>;
  /** Plugins that others publish for CoreDNS. */
  readonly external: ReadonlySet<string>;
};

export type CorefileOptions = {
  /** Path as the operator gave it; where imports start from and what messages name. */
  readonly file: string;
  readonly directives: DirectiveNames;
  /** Port of `dns` keys without one. */
  readonly defaultPort?: number;
  readonly environment?: Environment;
  readonly files?: ConfigFiles;
  /** Takes the directives that are not built, one by one; without it the first is thrown. */
  readonly onNotBuilt?: (error: ConfigError) => void;
};

export type Corefile = {
  readonly blocks: readonly ServerBlock[];
  readonly warnings: readonly Warning[];
  /** Lower-case hexadecimal SHA-512, the one that CoreDNS's reload logs and exports for the same files. */
  readonly hash: string;
  /** Absolute paths. */
  readonly importedFiles: readonly string[];
};

/**
 * Reads a Corefile with everything it imports. A text without a server block means CoreDNS's built-in default, whoami
 * and log on all zones.
 *
 * @throws ConfigError `SYNTAX`, `IMPORT`, `DIRECTIVE_UNKNOWN`, `DIRECTIVE_REMOVED`, `KEY`, and when nothing else is
 *   wrong `DIRECTIVE_NOT_BUILT`
 */
export function parseCorefile(text: string, options: CorefileOptions): Corefile {
  const { file, directives, defaultPort = 53, environment = process.env, files = systemFiles } = options;
  const known = new Set(directives.all);
  const checkName = (name: string, token: Token): void => {
    if (!known.has(name) && !directives.built.has(name)) throw explainUnknown(name, token, directives);
  };
  const parse = (source: string): RawCorefile => parseBlocks(source, { file, environment, files, checkName });
  const raw = parse(text);
  const rawBlocks = raw.blocks.length > 0 ? raw.blocks : parse(`.:${defaultPort} {\nwhoami\nlog\n}\n`).blocks;

  const warnings = [...raw.warnings];
  const blocks = rawBlocks.map((block): ServerBlock => {
    const keys = block.keys.flatMap((token) => parseKey(token, defaultPort));
    const { file, line } = block.keys[0]!;
    return { keys, directives: groupDirectives(block.directives, warnings), file, line };
  });
  reportNotBuilt(rawBlocks, options);
  return {
    blocks,
    warnings: [...warnings, ...remarkZones(blocks)],
    hash: hashBlocks(raw.blocks, file),
    importedFiles: raw.importedFiles,
  };
}

function explainUnknown(name: string, token: Token, directives: DirectiveNames): ConfigError {
  const advice = Object.hasOwn(directives.removed, name) ? directives.removed[name] : undefined;
  if (advice !== undefined) {
    return new ConfigError('DIRECTIVE_REMOVED', `${name}: removed from CoreDNS, ${advice}`, token.file, token.line);
  }
  const message = `unknown directive ${quote(name, 40)}${hintFor(name, directives)}`;
  return new ConfigError('DIRECTIVE_UNKNOWN', message, token.file, token.line);
}

/** What someone may have meant by a word in the place of a directive. */
function hintFor(name: string, { all, external }: DirectiveNames): string {
  if (external.has(name)) return ', a plugin from outside CoreDNS that this program does not have';
  if (/^\{[{%]/.test(name)) return ', this looks like a template that was not rendered';
  const glued = /^([a-z0-9_]+)([:{}].*)$/.exec(name);
  if (glued !== null && all.includes(glued[1]!)) {
    return glued[2] === '}' ? ', put the "}" on a line of its own' : `, put a blank before ${quote(glued[2]!, 40)}`;
  }
  if (name === '.' || /:\d+$/.test(name)) {
    return ', is the "}" of the server block above missing, or a comma between two keys?';
  }
  const nearest = findNearest(name, all);
  return nearest === undefined ? '' : `, did you mean ${quote(nearest)}?`;
}

function reportNotBuilt(blocks: readonly RawBlock[], { directives, onNotBuilt }: CorefileOptions): void {
  for (const { name, tokens } of blocks.flatMap((block) => block.directives)) {
    if (directives.built.has(name)) continue;
    const { file, line } = tokens[0]!;
    const advice = directives.notBuilt?.[name] ?? 'a block with it cannot be served';
    const message = `${name}: this CoreDNS plugin is not built here, ${advice}`;
    const error = new ConfigError('DIRECTIVE_NOT_BUILT', message, file, line);
    if (onNotBuilt === undefined) throw error;
    onNotBuilt(error);
  }
}

function remarkZones(blocks: readonly ServerBlock[]): Warning[] {
  return blocks.flatMap(({ keys, file, line }) =>
    keys
      .filter(({ zone }) => !isPreferredSyntax(zone))
      .map(({ zone }) => ({
        message: `domain ${quote(zone)} does not follow RFC1035 preferred syntax`,
        file,
        line,
      })),
  );
}

/**
 * The hash that CoreDNS's reload computes: SHA-512 over its parse tree as Go's encoding/json writes it. The Corefile's
 * own path is an empty text there, directives are sorted by name, their own name stands as written.
 */
function hashBlocks(blocks: readonly RawBlock[], file: string): string {
  const tree = blocks.map(({ keys, directives }) => {
    const rows = new Map<string, { File: string; Line: number; Text: string }[]>();
    for (const { name, tokens } of directives) {
      const row = rows.get(name) ?? [];
      rows.set(name, row);
      for (const token of tokens) {
        row.push({ File: token.file === file ? '' : token.file, Line: token.line, Text: token.text });
      }
    }
    return { Keys: keys.map(({ text }) => text), Tokens: Object.fromEntries([...rows].sort(byName)) };
  });
  const json = blocks.length === 0 ? 'null' : JSON.stringify(tree);
  // Go escapes these five in every string; outside strings they do not occur.
  const escaped = json.replaceAll(/[<>&\u2028\u2029]/g, (char) => {
    return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
  return createHash('sha512').update(escaped, 'utf8').digest('hex');
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
