// What the bytes of an rrset can be: the agreement between the sources that write them and the plugins that answer from
// them. Both kinds of thread.

export const RRSET_FORM = {
  /** Whole RDATA, each behind its length (16 bits): types whose RDATA is sent as it is stored. */
  RDATA: 0,
  /** Addresses one after the other, 4 (A) or 16 (AAAA) bytes each. */
  ADDRESSES: 1,
  /**
   * SRV targets with their glue. One byte: how many labels of the asked name the targets' common end lacks; one byte 0;
   * 16 bits: number of targets; then each target: length of its own labels (8 bits), those labels in wire form; number of
   * records (8 bits), each weight and port (16 bits each); number of A glue records (8 bits), their addresses; number of AAAA
   * glue records (8 bits), their addresses. Priority is 0. `RrsetData.count` is the number of SRV records.
   */
  SERVICE: 2,
  /** PTR targets: kind (8 bits, `PTR_KIND`), length (8 bits), name relative to the primary zone in wire form without root. */
  POINTERS: 3,
  /** One absolute name in wire form, lower case: CNAME. */
  NAME: 4,
  /** NS names below the zone with their addresses: as SERVICE, without weights and ports (0 records each). */
  NAME_SERVERS: 5,
  /** Addresses of a zone of master-file records: TTL (32 bits), then 4 (A) or 16 (AAAA) bytes each. */
  ZONE_ADDRESSES: 6,
  /** Other records of such a zone: TTL (32 bits), then each RDATA behind its length (16 bits), names in it uncompressed. */
  ZONE_RDATA: 7,
  /** RRSIG records of such a zone, whatever they cover: each TTL (32 bits), length (16 bits), RDATA. */
  ZONE_SIGNATURES: 8,
  /** At the apex, type `ZONE_ORDER_TYPE`: handles (32-bit words) of all other names in canonical order (RFC 4034 section 6.1). */
  ZONE_ORDER: 9,
  /** In a directory of zones: which tree holds the zone now; words by `ZONE_WORD`. */
  ZONE: 10,
  /**
   * A Service's part of a zone transfer, type `TRANSFER_TYPE`: records in order, each length and labels of the owner before
   * the entry's name (8 bits, wire form), type (16 bits), then an address; or weight and port (16 bits each), length and
   * labels of the target before the entry's name, `ABSOLUTE` and a whole name for one outside; or a whole name (CNAME).
   */
  TRANSFER: 11,
  /**
   * The Pods at an address, type `POD_TYPE`: length (8 bits) and text of the namespace, of the name (each UTF-8), number of
   * labels (8 bits), then length (16 bits) and text of each key and each value. `count` is the number of Pods that share the
   * address; with more than one there are no bytes.
   */
  POD: 12,
  /** SkyDNS services at or below a name, type `SERVICES_TYPE`: as lib/chain/service-record.ts writes and reads them. */
  SERVICES: 13,
  /** Where something is, type `PLACE_TYPE`: label of the place (see place-name.ts), then its name as text. */
  PLACE: 14,
} as const;

/** Types of rrsets that are no rrsets, as `ZONE_ORDER_TYPE`. */
export const TRANSFER_TYPE = 0;
export const POD_TYPE = 0;
export const SERVICES_TYPE = 0;
/** Beside `POD_TYPE` at the same entry: reserved in the protocol as well. */
export const PLACE_TYPE = 0xffff;
/** Stands where the length of a relative name would. */
export const ABSOLUTE = 255;

/** Type of the rrset that is no rrset: reserved in the protocol, so that no lookup for records may ask for it. */
export const ZONE_ORDER_TYPE = 0;

/** The same for the owners of NSEC3 records alone; the type is reserved too. */
export const HASHED_ORDER_TYPE = 0xffff;

/** Words of a ZONE rrset. */
export const ZONE_WORD = {
  /** Tree with the zone's names, relative to the zone. */
  TREE: 0,
  /** Handle of the apex in that tree: it never moves while the tree lives. */
  APEX: 1,
  /** `ZONE_FLAG` bits. */
  FLAGS: 2,
  /** Labels of the longest name, those of the zone not counted. */
  DEPTH: 3,
  /** Raised with every version, so that whoever comes back knows whether it is the same one. */
  VERSION: 4,
  COUNT: 5,
} as const;

/** EXPIRED: not to be answered from any more. NSEC, NSEC3: how the zone proves that something does not exist. */
export const ZONE_FLAG = { EXPIRED: 1, NSEC: 2, NSEC3: 4 } as const;

/** What stands at a name of a zone of master-file records, for the entry's flags. */
export const NAME_FLAG = {
  /** NS records below the apex: the zone ends here. */
  CUT: 1,
  /** A DNAME record: names below are renamed. */
  DNAME: 2,
  /** Below a cut or a DNAME: no data of the zone, glue at most. */
  OCCLUDED: 4,
  /** `*` below this name exists, perhaps as an empty non-terminal. */
  WILDCARD_BELOW: 8,
  /** Owner of hashed denial (NSEC3) only: the name does not exist for questions (RFC 5155 section 7.2.8). */
  HASHED: 16,
} as const;

/**
 * Where a PTR target comes from; a Service hides all endpoints at the same address. HOSTNAME: an endpoint with a host name of
 * its own, told apart only where targets are kept in order, these first.
 */
export const PTR_KIND = { SERVICE: 0, ENDPOINT: 1, HOSTNAME: 2 } as const;

/**
 * In a tree of places, flags of the entry called like a headless name: where its endpoints are looked for, node before zone.
 * ONLY: nowhere else. The endpoints of one place are at the same name with the place's label in front; at a node's label
 * alone stands the zone it is in.
 */
export const PLACE_FLAG = { NODE: 1, ZONE: 2, ONLY: 4 } as const;

/** What kind of name an entry of a cluster's tree is: bits of the entry's flags, for `explain` and for special answers. */
export const ENTRY_FLAG = {
  SERVICE: 1,
  HEADLESS: 2,
  EXTERNAL_NAME: 4,
  ENDPOINT: 8,
  PORT: 16,
  NAMESPACE: 32,
  POD: 64,
  /** Names for the endpoints of one topology zone. */
  ZONAL: 128,
  /** Addresses of the name servers, no name of its own. */
  NAME_SERVER: 256,
  /** A Pod whose resolver searches the cluster's zones as usual. */
  CLUSTER_SEARCH: 512,
} as const;
