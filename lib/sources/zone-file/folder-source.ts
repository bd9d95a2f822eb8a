// Keeps a directory of zones equal to the zone files of a folder: files that come add zones, files that go remove them. Control
// thread.
import fs from 'node:fs';
import path from 'node:path';
import type { CancelTimer } from '../../base/clock.ts';
import { compileGoRegexp, type GoRegexp } from '../../base/go-regexp.ts';
import { TREE_STATE } from '../../store/layout.ts';
import { formatName, isSubdomain, parseNameLower } from '../../wire/name.ts';
import type { Source, SourceEnv } from '../source.ts';
import { FollowedZone } from './followed-zone.ts';
import { expandTemplate } from './origin-template.ts';
import { ZonePublisher } from './zone-publisher.ts';

/** Plain data, made by the setup of `auto`. */
export type FolderSourceOptions = {
  readonly directory: string;
  /** Go regular expression for the last part of a file's path. */
  readonly pattern: string;
  /** Makes the origin out of the pattern's groups. */
  readonly template: string;
  /** Only zones at or below these are served. */
  readonly zones: readonly string[];
  /** How often the folder and its files are looked at; 0: never again. */
  readonly reloadMs: number;
};

/** Folders within folders that are looked into. */
const MAX_DEPTH = 32;
/** Files looked at in one walk. */
const MAX_FILES = 100_000;
/** Longest file name that the pattern is tried on. */
const MAX_FILE_NAME = 1024;

/** Walks the folder and serves what is there. A broken file costs only its own zone. */
export async function startFolderSource(options: FolderSourceOptions, env: SourceEnv): Promise<Source> {
  const source = new FolderSource(options, env);
  await source.walk();
  env.writer.setState(env.tree, TREE_STATE.SYNCED);
  source.schedule();
  return {
    ready: Promise.resolve(),
    isReady: () => true,
    startupTimeoutMs: 0,
    waitingFor: () => '',
    stop: () => source.stop(),
    drop: () => source.drop(),
  };
}

class FolderSource {
  readonly #options: FolderSourceOptions;
  readonly #env: SourceEnv;
  readonly #publisher: ZonePublisher;
  readonly #pattern: GoRegexp;
  readonly #scope: readonly Uint8Array[];
  readonly #zones = new Map<string, FollowedZone>();
  /** Lines written already about files that are passed over. */
  #told = new Set<string>();
  #cancel: CancelTimer = () => {};
  #isStopped = false;

  constructor(options: FolderSourceOptions, env: SourceEnv) {
    this.#options = options;
    this.#env = env;
    this.#publisher = new ZonePublisher(env.writer, env.tree);
    this.#pattern = compileGoRegexp(options.pattern);
    this.#scope = options.zones.flatMap((zone) => parseNameLower(zone) ?? []);
  }

  schedule(): void {
    const { reloadMs } = this.#options;
    if (reloadMs === 0 || this.#isStopped) return;
    this.#cancel = this.#env.clock.after(reloadMs, () => void this.#poll());
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }

  drop(): void {
    this.#publisher.close();
  }

  async #poll(): Promise<void> {
    await this.walk();
    this.schedule();
  }

  /** Makes the served zones those of the folder's files, each as its file says now. */
  async walk(): Promise<void> {
    const told = new Set<string>();
    const files = await this.#findFiles(told);
    if (files === undefined) return;
    for (const [zone, file] of files) {
      if (this.#isStopped) return;
      const known = this.#zones.get(zone);
      if (known === undefined) await this.#add(zone, file, told);
      else {
        known.file = file;
        await known.poll();
      }
    }
    for (const [name, zone] of this.#zones) {
      if (files.has(name)) continue;
      zone.remove();
      this.#zones.delete(name);
      this.#env.log.info(`Deleting zone \`${name}'`);
    }
    this.#told = told;
  }

  async #add(name: string, file: string, told: Set<string>): Promise<void> {
    const { log } = this.#env;
    const zone = new FollowedZone(name, file, false, this.#publisher, log);
    const error = await zone.load();
    if (error !== undefined) {
      this.#warn(`Parse zone \`${name}': ${error.format()}`, told);
      return;
    }
    this.#zones.set(name, zone);
    log.info(`Inserting zone \`${name}' from: ${file}`);
  }

  /** Says something about a file once as long as it stays true. */
  #warn(text: string, told: Set<string>): void {
    if (!this.#told.has(text) && !told.has(text)) this.#env.log.warning(text);
    told.add(text);
  }

  /** File of each zone; undefined when the folder cannot be read for another reason than that it is not there. */
  async #findFiles(told: Set<string>): Promise<Map<string, string> | undefined> {
    const found = new Map<string, string>();
    let left = MAX_FILES;
    const visit = async (directory: string, depth: number): Promise<void> => {
      const entries = await fs.promises.readdir(directory, { withFileTypes: true });
      entries.sort((a, b) => (a.name < b.name ? -1 : 1));
      for (const entry of entries) {
        const file = path.join(directory, entry.name);
        if (entry.isDirectory()) {
          // Kubernetes keeps the files of a volume in `..` folders and links to them.
          if (depth < MAX_DEPTH && !entry.name.startsWith('..')) await visit(file, depth + 1);
        } else if (left-- > 0) this.#match(entry.name, file, found, told);
      }
    };
    try {
      await visit(this.#options.directory, 0);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      this.#warn(`error reading ${this.#options.directory}: ${message}`, told);
      if (code !== 'ENOENT') {
        this.#told = told;
        return undefined;
      }
    }
    return found;
  }

  #match(name: string, file: string, found: Map<string, string>, told: Set<string>): void {
    if (name.length > MAX_FILE_NAME) return;
    const match = this.#pattern.exec(name);
    if (match === undefined) return;
    const origin = parseNameLower(expandTemplate(this.#options.template, match));
    if (origin === undefined) {
      this.#warn(`${file}: its name makes no zone`, told);
      return;
    }
    if (!this.#scope.some((zone) => isSubdomain(origin, zone))) return;
    const zone = formatName(origin);
    const before = found.get(zone);
    if (before === undefined) found.set(zone, file);
    else
      this.#warn(
        `Multiple zone files match origin ${JSON.stringify(zone)}: using "${before}" instead of "${file}"`,
        told,
      );
  }
}
