// Directive `auto` -> a source that serves the zone files of a folder. Control thread.
import fs from 'node:fs';
import path from 'node:path';
import { compileGoRegexp, RegexpError } from '../../base/go-regexp.ts';
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive, Option } from '../../config/directive.ts';

const DEFAULT_PATTERN = 'db\\.(.*)';
const DEFAULT_TEMPLATE = '{1}';
const DEFAULT_RELOAD_MS = 60_000;
const MAX_PATTERN_LENGTH = 10_000;

export type AutoOptions = {
  readonly zones: readonly string[];
  /** Tree that says which zones there are and where. */
  readonly directory: number;
};

type Settings = { directory: string; pattern: string; template: string; reloadMs: number };

/**
 * Reads `auto [ZONE..] { directory DIR [REGEXP TEMPLATE] ; reload D }`. Of several lines the last one counts.
 *
 * @throws ConfigError `ARGUMENT_COUNT`, `ARGUMENT_VALUE`, `OPTION_UNKNOWN`; `FILE` when the folder cannot be looked at
 */
export function setupAuto(directives: readonly Directive[], context: SetupContext): AutoOptions {
  const settings: Settings = {
    directory: '',
    pattern: DEFAULT_PATTERN,
    template: DEFAULT_TEMPLATE,
    reloadMs: DEFAULT_RELOAD_MS,
  };
  let zones: readonly string[] = context.zones;
  for (const directive of directives) {
    zones = directive.parseZones(directive.args, context.zones);
    for (const option of directive.options()) readOption(directive, option, settings, context);
  }
  // The form of `FolderSourceOptions` in lib/sources/zone-file/folder-source.ts.
  const options = { ...settings, zones };
  return { zones, directory: context.addSource({ kind: 'auto', key: JSON.stringify(options), options }) };
}

function readOption(directive: Directive, option: Option, settings: Settings, context: SetupContext): void {
  switch (option.name) {
    case 'directory':
      readDirectory(option, settings, context);
      break;
    case 'reload':
      settings.reloadMs = option.parseDuration(option.argument(), { min: 0 });
      break;
    case 'upstream':
      // Long without effect, and in many Corefiles.
      break;
    default:
      throw directive.unknownOption(option, ['directory', 'reload'], {});
  }
}

function readDirectory(option: Option, settings: Settings, context: SetupContext): void {
  const name = option.argument().text;
  option.expectArguments(1, 3);
  settings.directory = path.isAbsolute(name) ? name : path.join(context.root, name);
  lookAtDirectory(option, settings.directory, context);
  const [, pattern, template] = option.args;
  if (pattern === undefined) return;
  if (template === undefined) throw option.error('ARGUMENT_COUNT', 'directory: a pattern needs a template behind it');
  if (pattern.text.length > MAX_PATTERN_LENGTH) {
    throw option.error('ARGUMENT_VALUE', `directory: a pattern of over ${MAX_PATTERN_LENGTH} characters`);
  }
  if (countGroups(option, pattern.text) === 0)
    throw option.valueError(pattern, 'a pattern with at least one group "(...)"');
  settings.pattern = pattern.text;
  settings.template = template.text;
}

function lookAtDirectory(option: Option, directory: string, context: SetupContext): void {
  try {
    fs.statSync(directory);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT') throw option.error('FILE', `directory: ${message}`);
    context.warn(`plugin/auto: Directory does not exist: ${directory}`);
  }
}

/** @throws ConfigError when it is no regular expression */
function countGroups(option: Option, pattern: string): number {
  try {
    return compileGoRegexp(pattern).groupCount;
  } catch (error) {
    if (!(error instanceof RegexpError)) throw error;
    throw option.error('ARGUMENT_VALUE', `directory: ${error.message}`);
  }
}
