// Directive `file` -> a source for each line that keeps zones equal to a file, and how to answer from them. Control thread.
import path from 'node:path';
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive } from '../../config/directive.ts';

const DEFAULT_RELOAD_MS = 60_000;

export type FileOptions = {
  /** `directory` is the tree that says where the zone is now. */
  readonly zones: readonly { readonly zone: string; readonly directory: number }[];
  /** Missing names in these zones go to the next plugin. */
  readonly fallthrough: readonly string[];
};

/**
 * Reads `file DBFILE [ZONE..] { reload D ; reload_by_mtime ; fallthrough [ZONE..] }`, any number of lines.
 *
 * @throws ConfigError `ARGUMENT_COUNT`, `ARGUMENT_VALUE`, `OPTION_UNKNOWN`
 */
export function setupFile(directives: readonly Directive[], context: SetupContext): FileOptions {
  // Of a zone that stands in several lines the last one counts.
  const zones = new Map<string, number>();
  let fallthrough: readonly string[] = [];
  for (const directive of directives) {
    const [fileWord, ...zoneWords] = directive.args;
    if (fileWord === undefined) throw directive.error('ARGUMENT_COUNT', 'needs the name of a zone file');
    const file = path.isAbsolute(fileWord.text) ? fileWord.text : path.join(context.root, fileWord.text);
    const origins = directive.parseZones(zoneWords, context.zones);
    let reloadMs = DEFAULT_RELOAD_MS;
    let byMtime = false;
    for (const option of directive.options()) {
      switch (option.name) {
        case 'fallthrough':
          fallthrough = option.args.length === 0 ? ['.'] : option.parseZones(option.args);
          break;
        case 'reload':
          reloadMs = Math.max(0, option.parseDuration(option.argument()));
          break;
        case 'reload_by_mtime':
          byMtime = true;
          break;
        case 'upstream':
          // Long without effect, and in many Corefiles.
          break;
        default:
          throw directive.unknownOption(option, OPTIONS);
      }
    }
    // The form of `FileSourceOptions` in lib/sources/zone-file/file-source.ts.
    const options = { file, zones: origins, reloadMs, byMtime };
    const directory = context.addSource({ kind: 'file', key: JSON.stringify(options), options });
    for (const zone of origins) zones.set(zone, directory);
  }
  return { zones: [...zones].map(([zone, directory]) => ({ zone, directory })), fallthrough };
}
const OPTIONS = ['fallthrough', 'reload', 'reload_by_mtime'] as const;
