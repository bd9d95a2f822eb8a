// Keeps the copies of a block's secondary zones, and of the zones that catalogs among them name. Control thread.
import { TREE_STATE } from '../../store/layout.ts';
import { formatName, isSubdomain, parseNameLower } from '../../wire/name.ts';
import type { Source, SourceEnv } from '../source.ts';
import { ZonePublisher } from '../zone-file/zone-publisher.ts';
import { type CatalogMember, readCatalog } from './catalog.ts';
import { type Primary, type PrimaryClient, tcpPrimaryClient } from './primary.ts';
import { type SecondaryCell, type SecondaryEnv, SecondaryZone } from './secondary-zone.ts';
import { TransferSlots } from './transfer-slots.ts';

const MAX_TRANSFERS = 8;
/** Members of all catalogs; more are not served. */
const MAX_MEMBERS = 10_000;

/** Plain data, made by the setup of `secondary`. */
export type SecondarySourceOptions = {
  readonly zones: readonly {
    /** Absolute, lower case. */
    readonly zone: string;
    readonly primaries: readonly Primary[];
    /** The zone is a catalog; its members must be one of these names or below it, any name without them. */
    readonly memberZones?: readonly string[];
  }[];
  /** In the control thread's row of metric cells. */
  readonly cells: Readonly<Record<SecondaryCell, number>>;
};

/** Tests give their own. */
export type SecondaryParts = { readonly client: PrimaryClient; readonly random: () => number };

export function startSecondarySource(
  options: SecondarySourceOptions,
  { writer, tree, clock, log, cells }: SourceEnv,
  { client, random }: SecondaryParts = { client: tcpPrimaryClient, random: Math.random },
): Source {
  const publisher = new ZonePublisher(writer, tree);
  const slots = new TransferSlots(MAX_TRANSFERS);
  const count = (cell: SecondaryCell): void => void cells[options.cells[cell]]!++;
  const zones = new SecondaryZones({ clock, log, publisher, client, slots, random, count });
  for (const zone of options.zones) zones.add(zone);
  writer.setState(tree, TREE_STATE.SYNCED);
  zones.start();
  return {
    ready: Promise.resolve(),
    isReady: () => true,
    startupTimeoutMs: 0,
    waitingFor: () => '',
    notify: (zone) => zones.notify(zone),
    stop: () => zones.stop(),
    drop: () => publisher.close(),
  };
}

type Member = { zone: SecondaryZone; catalog: string; id: string; newOwner: string | undefined };
type ZoneOptions = SecondarySourceOptions['zones'][number];

class SecondaryZones {
  readonly #env: SecondaryEnv;
  readonly #configured = new Map<string, SecondaryZone>();
  readonly #members = new Map<string, Member>();

  constructor(env: SecondaryEnv) {
    this.#env = env;
  }

  add({ zone, primaries, memberZones }: ZoneOptions): void {
    const origin = parseNameLower(zone);
    if (origin === undefined) return;
    const name = formatName(origin);
    const allowed = memberZones?.flatMap((text) => parseNameLower(text) ?? []);
    const secondary = new SecondaryZone(origin, primaries, this.#env, (contents) => {
      if (allowed === undefined) return () => undefined;
      const members = readCatalog(contents);
      return () => this.#apply(name, members, allowed, primaries);
    });
    this.#configured.set(name, secondary);
  }

  start(): void {
    for (const zone of this.#configured.values()) void zone.start();
  }

  notify(name: string): void {
    (this.#configured.get(name) ?? this.#members.get(name)?.zone)?.notify();
  }

  stop(): void {
    for (const zone of this.#configured.values()) zone.stop();
    for (const { zone } of this.#members.values()) zone.stop();
  }

  /** Serves what the catalog names now and no more what it named before. */
  #apply(
    catalog: string,
    members: readonly CatalogMember[],
    allowed: readonly Uint8Array[],
    primaries: readonly Primary[],
  ): void {
    const { log } = this.#env;
    const current = new Set<string>();
    let rejected = 0;
    for (const member of members) {
      if (allowed.length > 0 && !allowed.some((zone) => isSubdomain(member.origin, zone))) rejected++;
      else {
        current.add(formatName(member.origin));
        this.#take(catalog, member, primaries);
      }
    }
    for (const [name, { zone, catalog: owner }] of this.#members) {
      if (owner !== catalog || current.has(name)) continue;
      zone.remove();
      this.#members.delete(name);
      log.info(`Removed catalog member zone ${name} from catalog ${catalog}`);
    }
    if (rejected > 0) {
      log.warning(`Skipped ${rejected} member zones from catalog ${catalog}: outside configured member zones`);
    }
    log.info(`Parsed catalog zone ${catalog} with ${members.length} member zones`);
  }

  /** RFC 9432 sections 4.3.1, 5.2 and 5.3. */
  #take(catalog: string, { origin, id, newOwner }: CatalogMember, primaries: readonly Primary[]): void {
    const { log } = this.#env;
    const name = formatName(origin);
    const known = this.#members.get(name);
    const isClash = known !== undefined && known.catalog !== catalog && known.newOwner !== catalog;
    if (isClash || this.#configured.has(name)) {
      log.warning(`Skipping catalog member zone ${name} from ${catalog}: zone already exists`);
      return;
    }
    if (known !== undefined && known.id === id) {
      if (known.catalog !== catalog) log.info(`Migrated catalog member zone ${name} to ${catalog}`);
      known.catalog = catalog;
      known.newOwner = newOwner;
      known.zone.primaries = primaries;
      return;
    }
    if (known === undefined && this.#members.size >= MAX_MEMBERS) {
      log.warning(`Skipping catalog member zone ${name} from ${catalog}: there are ${MAX_MEMBERS} already`);
      return;
    }
    // Another label is another zone, whose copy starts from nothing.
    known?.zone.remove();
    const zone = new SecondaryZone(origin, primaries, this.#env);
    this.#members.set(name, { zone, catalog, id, newOwner });
    log.info(`${known === undefined ? 'Added' : 'Reset'} catalog member zone ${name} from catalog ${catalog}`);
    void zone.start();
  }
}
