// What a plain zone says about a name and a type: the store's entries turned into the outcomes of RFC 1034 section 4.3.2, for
// zones without delegations and wildcards. Worker.
import { RRTYPE } from '../wire/types.ts';
import type { StoreReader } from './reader.ts';

/**
 * HIT: `rrset` holds the records asked for. CNAME: `rrset` is the name's CNAME, asked for another type. NODATA: the name
 * exists without them, perhaps as an empty non-terminal. NXDOMAIN: it does not. NOT_SYNCED: not found, but the source has not
 * seen everything, so nobody knows whether name or records exist.
 */
export const LOOKUP = { HIT: 0, CNAME: 1, NODATA: 2, NXDOMAIN: 3, NOT_SYNCED: 4 } as const;
export type LookupKind = (typeof LOOKUP)[keyof typeof LOOKUP];

/** The last lookup's handles, made once per handler and reused. */
export class Lookup {
  /** Handle of the name's entry, 0 when there is none. */
  entry = 0;
  /** Handle of the rrset for `HIT` and `CNAME`, else 0. */
  rrset = 0;

  /**
   * Looks up a relative name, parameters as in `StoreReader.find`.
   *
   * Names of one lookup come from one moment each: the caller stays in one batch, not in one version of the tree.
   */
  run(
    reader: StoreReader,
    tree: number,
    name: Uint8Array,
    at: number,
    length: number,
    hash: number,
    type: number,
  ): LookupKind {
    this.rrset = 0;
    // The state first: a tree becomes synced after its last name was put, so a name missed later is truly missing.
    const synced = reader.isSynced(tree);
    const entry = reader.find(tree, name, at, length, hash);
    this.entry = entry;
    if (entry === 0) return synced ? LOOKUP.NXDOMAIN : LOOKUP.NOT_SYNCED;
    let rrset = reader.findRrset(entry, type);
    if (rrset === 0) {
      rrset = reader.findRrset(entry, RRTYPE.CNAME);
      if (rrset === 0) return synced ? LOOKUP.NODATA : LOOKUP.NOT_SYNCED;
      this.rrset = rrset;
      return LOOKUP.CNAME;
    }
    this.rrset = rrset;
    return LOOKUP.HIT;
  }
}
