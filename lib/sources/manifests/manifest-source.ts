// A folder of Kubernetes YAML as a source: the same view as a cluster gives, without a cluster. Control thread.
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { ObjectSink } from '../kubernetes/object-sink.ts';
import type { ObjectSource, ResourceStatus } from '../kubernetes/object-source.ts';
import { ObjectView } from '../kubernetes/object-view.ts';
import type { ObjectIdentity } from '../kubernetes/objects/metadata.ts';
import { formatProblem } from '../kubernetes/objects/problem.ts';
import { isRawObject } from '../kubernetes/objects/raw-object.ts';
import type { Resource } from '../kubernetes/resource.ts';
import { FolderWatch } from './folder-watch.ts';
import { type ManifestFile, type ManifestObject, parseManifestFile } from './manifest-file.ts';

export type ManifestSourceSettings = {
  readonly clock: Clock;
  /** Already carries the plugin's name. */
  readonly log: Logger;
  /** How often the folder is looked at even if the kernel tells nothing. Default 5 s. */
  readonly pollMs?: number;
};

const POLL_MS = 5000;
const MAX_FILES = 1000;
const MAX_FILE_BYTES = 16 * 1024 * 1024;

/** A file as it was last read. */
type KnownFile = {
  /** Changes when the file does, also behind a symbolic link. */
  readonly signature: string;
  readonly contents: ManifestFile;
  /** Trimmed objects by resource name; kept so that an unchanged file costs nothing. */
  readonly trimmed: Map<string, readonly ObjectIdentity[]>;
};

type Followed = {
  readonly take: (files: ReadonlyMap<string, KnownFile>) => Promise<void>;
  readonly status: () => ResourceStatus;
};

export class ManifestSource implements ObjectSource {
  readonly #folder: string;
  readonly #settings: ManifestSourceSettings;
  readonly #watch: FolderWatch;
  readonly #followed: Followed[] = [];
  #files: ReadonlyMap<string, KnownFile> = new Map();
  #reading = false;
  #readAgain = false;
  #stopped = false;
  #synced = false;
  #reads = 0;
  #lastReadMs = 0;
  #folderProblem = '';

  /** @param folder holds `*.yaml`, `*.yml` and `*.json`; folders in it are not entered */
  constructor(folder: string, settings: ManifestSourceSettings) {
    this.#folder = folder;
    this.#settings = settings;
    this.#watch = new FolderWatch(folder, settings.clock, settings.pollMs ?? POLL_MS, () => void this.#read());
  }

  follow<T extends ObjectIdentity>(resource: Resource<T>, sink: ObjectSink<T>): void {
    const view = new ObjectView(resource, sink, this.#settings.log);
    this.#followed.push({
      take: async (files) => {
        const listed = new Map<string, T>();
        for (const [file, known] of files)
          for (const object of this.#trimFile(resource, view, file, known)) listed.set(object.key, object);
        await view.replace(listed, 0, false, () => this.#stopped);
      },
      status: () => ({
        resource: resource.name,
        synced: this.#synced,
        objects: view.size,
        lastProofOfLifeMs: this.#lastReadMs,
        events: view.counters.events,
        staleEvents: 0,
        badObjects: view.counters.badObjects,
        badLines: 0,
        lists: this.#reads,
        watches: 0,
        errors: 0,
        rewinds: 0,
        repairs: 0,
        audits: 0,
      }),
    });
  }

  start(): void {
    this.#watch.start();
    void this.#read();
  }

  stop(): void {
    this.#stopped = true;
    this.#watch.stop();
  }

  get synced(): boolean {
    return this.#synced;
  }

  status(): ResourceStatus[] {
    return this.#followed.map((followed) => followed.status());
  }

  /** Reads what has changed; a call during a reading has it done once more. */
  async #read(): Promise<void> {
    this.#readAgain = true;
    if (this.#reading) return;
    this.#reading = true;
    while (this.#readAgain && !this.#stopped) {
      this.#readAgain = false;
      const files = await this.#readFolder();
      if (files === undefined || this.#stopped) continue;
      this.#lastReadMs = this.#settings.clock.nowMs();
      if (this.#synced && isSameFiles(files, this.#files)) continue;
      this.#files = files;
      this.#reads++;
      for (const followed of this.#followed) await followed.take(files);
      this.#synced = true;
    }
    this.#reading = false;
  }

  /** @returns undefined (and one log line) while the folder cannot be read: what was read before stays */
  async #readFolder(): Promise<Map<string, KnownFile> | undefined> {
    let names: string[];
    try {
      names = (await readdir(this.#folder)).filter((name) => /^[^.].*\.(?:ya?ml|json)$/i.test(name)).sort();
      this.#folderProblem = '';
    } catch (error) {
      this.#sayOnce(`manifests ${this.#folder}: ${(error as Error).message}`);
      return undefined;
    }
    if (names.length > MAX_FILES) {
      this.#sayOnce(`manifests ${this.#folder}: ${names.length} files, only the first ${MAX_FILES} are read`);
      names.length = MAX_FILES;
    }
    const files = new Map<string, KnownFile>();
    for (const name of names) {
      const file = path.join(this.#folder, name);
      const known = await this.#readFile(file);
      if (known !== undefined) files.set(file, known);
    }
    return files;
  }

  async #readFile(file: string): Promise<KnownFile | undefined> {
    const before = this.#files.get(file);
    let signature = '';
    try {
      const { ino, size, mtimeMs, ctimeMs } = await stat(file);
      signature = `${ino} ${size} ${mtimeMs} ${ctimeMs}`;
      if (before?.signature === signature) return before;
      if (size > MAX_FILE_BYTES) throw new Error(`larger than ${MAX_FILE_BYTES} bytes`);
      const contents = parseManifestFile(await readFile(file, 'utf8'));
      for (const problem of contents.problems) this.#settings.log.warning(`${file}: ${problem}`);
      if (!contents.broken || before === undefined) return { signature, contents, trimmed: new Map() };
      this.#settings.log.warning(`${file}: keeping what it said before`);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      this.#settings.log.warning(`${file}: ${(error as Error).message}`);
      if (before === undefined) return undefined;
    }
    return { ...before, signature };
  }

  /** The objects of one resource in a file; those that did not change are the ones held. */
  #trimFile<T extends ObjectIdentity>(
    resource: Resource<T>,
    view: ObjectView<T>,
    file: string,
    known: KnownFile,
  ): readonly T[] {
    const remembered = known.trimmed.get(resource.name);
    if (remembered !== undefined) return remembered as readonly T[];
    const objects: T[] = [];
    for (const manifest of known.contents.objects) {
      if (manifest.kind !== resource.kind || hasEnded(manifest)) continue;
      const { object, problems } = resource.trim(manifest.raw);
      if (problems.length > 0) view.counters.badObjects++;
      for (const problem of problems)
        this.#settings.log.warning(`${file}: document ${manifest.document}: ${formatProblem(problem)}; skipped`);
      if (object === undefined) continue;
      const held = view.find(object.key);
      objects.push(held !== undefined && JSON.stringify(held) === JSON.stringify(object) ? held : object);
    }
    known.trimmed.set(resource.name, objects);
    return objects;
  }

  #sayOnce(text: string): void {
    if (this.#folderProblem === text) return;
    this.#folderProblem = text;
    this.#settings.log.warning(text);
  }
}

/** A Pod that has ended keeps no address, as with the API server's field selector. */
function hasEnded(manifest: ManifestObject): boolean {
  const { status } = manifest.raw;
  return manifest.kind === 'Pod' && isRawObject(status) && /^(?:Succeeded|Failed|Unknown)$/.test(String(status.phase));
}

function isSameFiles(a: ReadonlyMap<string, KnownFile>, b: ReadonlyMap<string, KnownFile>): boolean {
  if (a.size !== b.size) return false;
  for (const [file, known] of a) if (b.get(file) !== known) return false;
  return true;
}
