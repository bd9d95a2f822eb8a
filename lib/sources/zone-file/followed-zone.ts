// One zone that is kept equal to its file: loaded, looked at again, replaced as a whole. Control thread.
import type { Logger } from '../../base/log.ts';
import { formatName, parseNameLower } from '../../wire/name.ts';
import { type FileMark, loadZoneFile, markFile } from './load-zone-file.ts';
import { ZoneFileError } from './zone-file-error.ts';
import type { ZonePublisher } from './zone-publisher.ts';

export class FollowedZone {
  /** Absolute, lower case. */
  readonly zone: string;
  readonly #origin: Uint8Array;
  readonly #publisher: ZonePublisher;
  readonly #log: Logger;
  readonly #byMtime: boolean;
  #file: string;
  #files: readonly FileMark[] = [];
  #serial: number | undefined;
  /** Set once the first version is served. */
  #isLoaded = false;

  /**
   * @param byMtime reload whenever a file was written, whatever the serial says
   * @throws RangeError when the zone is no domain name
   */
  constructor(zone: string, file: string, byMtime: boolean, publisher: ZonePublisher, log: Logger) {
    const origin = parseNameLower(zone);
    if (origin === undefined) throw new RangeError(`not a domain name: ${zone}`);
    this.zone = formatName(origin);
    this.#origin = origin;
    this.#file = file;
    this.#byMtime = byMtime;
    this.#publisher = publisher;
    this.#log = log;
  }

  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  get file(): string {
    return this.#file;
  }

  /** The zone is in another file from now on; it is read when its serial differs. */
  set file(file: string) {
    this.#file = file;
  }

  /** Reads the file and serves what is in it. @returns what is wrong with it; then nothing changes */
  async load(): Promise<ZoneFileError | undefined> {
    const knownSerial = this.#byMtime ? undefined : this.#serial;
    const result = await loadZoneFile(this.#file, this.#origin, knownSerial);
    this.#files = result.files;
    if (result.kind === 'failed') return result.error;
    if (result.kind === 'same') return undefined;
    const { contents } = result;
    try {
      await this.#publisher.publish(contents);
    } catch (error) {
      if (error instanceof RangeError) return new ZoneFileError(error.message, this.#file);
      throw error;
    }
    for (const warning of contents.warnings) this.#log.warning(`${this.#file}: ${warning}`);
    if (this.#isLoaded) {
      const place = `zone ${JSON.stringify(this.zone)} in ${JSON.stringify(this.#file)}`;
      this.#log.info(`Successfully reloaded ${place} with ${contents.serial} SOA serial`);
    }
    this.#serial = contents.serial;
    this.#isLoaded = true;
    return undefined;
  }

  /** Loads the zone again when a file of it changed. A broken file is told once and leaves what is served. */
  async poll(): Promise<void> {
    if (!(await this.#isChanged())) return;
    const error = await this.load();
    if (error === undefined) return;
    const kept = this.#isLoaded ? `, still serving serial ${this.#serial}` : '';
    this.#log.error(`Parsing zone ${JSON.stringify(this.zone)}: ${error.format()}${kept}`);
  }

  async #isChanged(): Promise<boolean> {
    if (this.#files[0]?.path !== this.#file) return true;
    for (const { path, mark } of this.#files) if ((await markFile(path)) !== mark) return true;
    return false;
  }

  /** Stops serving the zone. */
  remove(): void {
    this.#publisher.remove(this.#origin);
  }
}
