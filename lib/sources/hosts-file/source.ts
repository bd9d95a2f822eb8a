// Keeps a tree of the store equal to a hosts file and the entries of the Corefile. Control thread.
import fs from 'node:fs';
import type { CancelTimer, Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import { applyChanges, type Change, type RrsetData } from '../../store/change.ts';
import { TREE_STATE } from '../../store/layout.ts';
import { RRSET_FORM } from '../../store/rrset-form.ts';
import type { StoreWriter } from '../../store/writer.ts';
import { parseNameLower } from '../../wire/name.ts';
import { RRTYPE } from '../../wire/types.ts';
import { addHosts, type HostEntry, type HostTable } from './parse-hosts.ts';

/** Plain data, made by the setup of `hosts`. */
export type HostsSourceOptions = {
  readonly file: string;
  /** Lines of the Corefile. */
  readonly inline: readonly string[];
  readonly zones: readonly string[];
  readonly autoReverse: boolean;
  /** How often the file is looked at; 0: only at start. */
  readonly reloadMs: number;
  /** Gauge: addresses of names and names of addresses. */
  readonly entriesCell: number;
  /** Gauge: modification time of the file, seconds since the Unix epoch. */
  readonly reloadTimeCell: number;
};

export type HostsSourceEnv = {
  readonly writer: StoreWriter;
  readonly tree: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** The control thread's row of metric cells. */
  readonly cells: Float64Array;
};

/** Changes applied before other work of the control thread gets its turn. */
const CHANGES_PER_SLICE = 500;
/** Larger files are refused; a line of a block list has about 30 bytes. */
export const MAX_HOSTS_FILE_BYTES: number = 256 * 2 ** 20;

/** A change of either means a new file. */
type FileState = { readonly mtimeMs: number; readonly size: number };

/**
 * Reads the file, fills the tree and looks for a changed file (modification time or size; links are followed) each
 * `reloadMs`. The tree is complete when this returns. A file that is missing or cannot be read leaves what is there.
 *
 * @returns ends the watch; the tree stays
 */
export function startHostsSource(options: HostsSourceOptions, env: HostsSourceEnv): () => void {
  return new HostsSource(options, env).start();
}

class HostsSource {
  readonly #options: HostsSourceOptions;
  readonly #env: HostsSourceEnv;
  readonly #zones: readonly Uint8Array[];
  readonly #inline: Uint8Array;
  #seen: FileState | undefined;
  #cancel: CancelTimer | undefined;
  #stopped = false;

  constructor(options: HostsSourceOptions, env: HostsSourceEnv) {
    this.#options = options;
    this.#env = env;
    this.#zones = options.zones.flatMap((zone) => parseNameLower(zone) ?? []);
    this.#inline = Buffer.from(options.inline.join('\n'));
  }

  start(): () => void {
    const { writer, tree } = this.#env;
    let file: Uint8Array = new Uint8Array(0);
    try {
      const stat = fs.statSync(this.#options.file);
      if (stat.isFile() && stat.size <= MAX_HOSTS_FILE_BYTES) {
        file = fs.readFileSync(this.#options.file);
        this.#remember(stat);
      }
    } catch (error) {
      this.#env.log.debug(`hosts file not read: ${(error as Error).message}`);
    }
    // Without yielding: the first answer must know all names.
    for (const _slice of this.#fill(this.#parse(file)));
    writer.setState(tree, TREE_STATE.SYNCED);
    this.#schedule();
    return () => {
      this.#stopped = true;
      this.#cancel?.();
    };
  }

  #schedule(): void {
    const { reloadMs } = this.#options;
    if (reloadMs > 0 && !this.#stopped) this.#cancel = this.#env.clock.after(reloadMs, () => void this.#poll());
  }

  /** Never rejects: a file that cannot be read now is tried again at the next turn. */
  async #poll(): Promise<void> {
    try {
      const stat = await fs.promises.stat(this.#options.file);
      if (this.#isNew(stat)) await this.#reload(stat);
    } catch (error) {
      this.#env.log.debug(`hosts file not read: ${(error as Error).message}`);
    }
    this.#schedule();
  }

  #isNew(stat: fs.Stats): boolean {
    return stat.isFile() && (stat.mtimeMs !== this.#seen?.mtimeMs || stat.size !== this.#seen.size);
  }

  async #reload(stat: fs.Stats): Promise<void> {
    if (stat.size > MAX_HOSTS_FILE_BYTES) {
      this.#env.log.warning(
        `${this.#options.file} has ${stat.size} bytes, more than ${MAX_HOSTS_FILE_BYTES}: not read`,
      );
      this.#seen = stat;
      return;
    }
    const text = await fs.promises.readFile(this.#options.file);
    if (this.#stopped) return;
    for (const _slice of this.#fill(this.#parse(text))) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      if (this.#stopped) return;
    }
    this.#remember(stat);
  }

  #remember(stat: FileState & { readonly mtimeMs: number }): void {
    this.#seen = { mtimeMs: stat.mtimeMs, size: stat.size };
    this.#env.cells[this.#options.reloadTimeCell] = stat.mtimeMs / 1000;
  }

  /** The file's entries come before those of the Corefile. */
  #parse(file: Uint8Array): HostTable {
    const filter = { zones: this.#zones, autoReverse: this.#options.autoReverse };
    const table: HostTable = new Map();
    const entries = addHosts(table, file, filter) + addHosts(table, this.#inline, filter);
    this.#env.cells[this.#options.entriesCell] = entries;
    return table;
  }

  /** Makes the tree equal to the table; yields after each slice. Unchanged names are not written again. */
  *#fill(table: HostTable): Generator<void> {
    const { writer, tree, log } = this.#env;
    let rejected = 0;
    let changed = 0;
    for (const changes of slices(this.#changes(table))) {
      const result = applyChanges(writer, tree, changes);
      rejected += result.rejected;
      changed += result.changed;
      yield;
    }
    if (rejected > 0) log.error(`the store is full: ${rejected} names of ${this.#options.file} are missing`);
    log.debug(`hosts file has ${table.size} names, ${changed} of them new or different`);
  }

  *#changes(table: HostTable): Generator<Change> {
    const { writer, tree } = this.#env;
    const gone: Uint8Array[] = [];
    writer.forEach(tree, (entry) => {
      const { reader } = writer;
      const at = reader.nameAt(entry);
      const name = reader.bytes.slice(at, at + reader.nameLength(entry));
      if (!table.has(Buffer.from(name).toString('latin1'))) gone.push(name);
    });
    for (const [key, entry] of table) {
      yield { kind: 'put', name: Buffer.from(key, 'latin1'), flags: 0, rrsets: toRrsets(entry) };
    }
    for (const name of gone) yield { kind: 'remove', name };
  }
}

function* slices(changes: Iterable<Change>): Generator<Change[]> {
  let slice: Change[] = [];
  for (const change of changes) {
    slice.push(change);
    if (slice.length < CHANGES_PER_SLICE) continue;
    yield slice;
    slice = [];
  }
  if (slice.length > 0) yield slice;
}

function toRrsets({ ipv4, ipv6, pointers }: HostEntry): RrsetData[] {
  const rrsets: RrsetData[] = [];
  const { ADDRESSES, RDATA } = RRSET_FORM;
  if (ipv4.length > 0) {
    rrsets.push({ type: RRTYPE.A, count: ipv4.length / 4, form: ADDRESSES, bytes: Uint8Array.from(ipv4) });
  }
  if (ipv6.length > 0) {
    rrsets.push({ type: RRTYPE.AAAA, count: ipv6.length / 16, form: ADDRESSES, bytes: Uint8Array.from(ipv6) });
  }
  if (pointers.length > 0) {
    rrsets.push({ type: RRTYPE.PTR, count: pointers.length, form: RDATA, bytes: joinRdata(pointers) });
  }
  return rrsets;
}

/** Each RDATA behind its length in 16 bits. */
function joinRdata(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + 2 + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes[at + 1] = part.length;
    bytes.set(part, at + 2);
    at += 2 + part.length;
  }
  return bytes;
}
