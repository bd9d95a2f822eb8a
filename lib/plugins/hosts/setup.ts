// Directive `hosts` -> a source that keeps the names of a hosts file in the store, and how to answer from them. Control thread.
import fs from 'node:fs';
import path from 'node:path';
import { expectOnce } from '../../chain/expect-once.ts';
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive, Option } from '../../config/directive.ts';

const DEFAULT_FILE = '/etc/hosts';
const DEFAULT_TTL_SECONDS = 3600;
const DEFAULT_RELOAD_MS = 5000;

export type HostsOptions = {
  readonly tree: number;
  /** Names outside of these go to the next plugin; reverse names do not count. */
  readonly zones: readonly string[];
  readonly ttlSeconds: number;
  /** Unknown names in these zones go to the next plugin. */
  readonly fallthrough: readonly string[];
  /** Types other than A, AAAA and PTR fall through too, also for known names. */
  readonly fallthroughUnsupported: boolean;
};

type Settings = {
  ttlSeconds: number;
  reloadMs: number;
  autoReverse: boolean;
  fallthrough: readonly string[];
  fallthroughUnsupported: boolean;
  inline: string[];
};

/**
 * Reads `hosts [FILE [ZONE..]] { ADDRESS NAME.. ; ttl N ; no_reverse ; reload D ; fallthrough [ZONE..] ; ... }`. Lines that
 * start with no option are entries; none may follow `fallthrough`.
 *
 * @throws ConfigError `DIRECTIVE_REPEATED`, `ARGUMENT_COUNT`, `ARGUMENT_VALUE`, `OPTION_UNKNOWN`, `OPTION_CONFLICT`; `FILE`
 *   when the file is there and cannot be looked at
 */
export function setupHosts(directives: readonly Directive[], context: SetupContext): HostsOptions {
  const directive = expectOnce(directives);
  const [file, ...zoneWords] = directive.args;
  const filePath = file === undefined ? DEFAULT_FILE : resolveFile(file.text, context.root);
  if (file !== undefined) lookAtFile(directive, filePath, context);
  const zones = directive.parseZones(zoneWords, context.zones);
  const settings: Settings = {
    ttlSeconds: DEFAULT_TTL_SECONDS,
    reloadMs: DEFAULT_RELOAD_MS,
    autoReverse: true,
    fallthrough: [],
    fallthroughUnsupported: false,
    inline: [],
  };
  for (const option of directive.options()) readOption(directive, option, settings);
  const { fallthrough, fallthroughUnsupported, ttlSeconds } = settings;
  if (fallthroughUnsupported && fallthrough.length === 0) {
    throw directive.error('OPTION_CONFLICT', 'fallthrough_unsupported needs fallthrough');
  }
  return {
    tree: addSource(context, filePath, zones, settings),
    zones,
    ttlSeconds,
    fallthrough,
    fallthroughUnsupported,
  };
}

function addSource(context: SetupContext, file: string, zones: readonly string[], settings: Settings): number {
  const { reloadMs, autoReverse, inline } = settings;
  // The form of `HostsSourceOptions` in lib/sources/hosts-file/source.ts.
  const options = {
    file,
    inline,
    zones,
    autoReverse,
    reloadMs,
    entriesCell: context.metrics.gauge(
      'coredns_hosts_entries',
      'Addresses and names known from the file and the Corefile.',
      { hostsfile: file },
      true,
    ),
    reloadTimeCell: context.metrics.gauge(
      'coredns_hosts_reload_timestamp_seconds',
      'When the file that is served was last changed, Unix seconds.',
      {},
      true,
    ),
  };
  return context.addSource({ kind: 'hosts', key: `hosts ${JSON.stringify(options)}`, options });
}

function resolveFile(file: string, root: string): string {
  return path.isAbsolute(file) ? file : path.join(root, file);
}

function lookAtFile(directive: Directive, file: string, context: SetupContext): void {
  try {
    if (fs.statSync(file).isDirectory())
      context.warn(`plugin/hosts: Hosts file ${JSON.stringify(file)} is a directory`);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT') throw directive.error('FILE', `cannot look at the hosts file: ${message}`);
    context.warn(`plugin/hosts: File does not exist: ${file}`);
  }
}

function readOption(directive: Directive, option: Option, settings: Settings): void {
  switch (option.name) {
    case 'fallthrough':
      settings.fallthrough = option.args.length === 0 ? ['.'] : option.parseZones(option.args);
      break;
    case 'fallthrough_unsupported':
      option.expectArguments(0);
      settings.fallthroughUnsupported = true;
      break;
    case 'no_reverse':
      settings.autoReverse = false;
      break;
    case 'ttl':
      settings.ttlSeconds = option.parseInteger(option.argument(), { min: 1, max: 65_535 });
      break;
    case 'reload':
      option.expectArguments(1);
      settings.reloadMs = option.parseDuration(option.argument(), { min: 0 });
      break;
    default:
      // After `fallthrough` CoreDNS takes no entries, so that a misspelt option after it is found.
      if (settings.fallthrough.length > 0) throw directive.unknownOption(option, OPTIONS);
      settings.inline.push([option.name, ...option.values].join(' '));
  }
}
const OPTIONS = ['fallthrough', 'fallthrough_unsupported', 'no_reverse', 'ttl', 'reload'] as const;
