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
} as const;

/** Where a PTR target comes from; a Service hides all endpoints at the same address. */
export const PTR_KIND = { SERVICE: 0, ENDPOINT: 1 } as const;

/** What kind of name an entry of a cluster's tree is: bits of the entry's flags, for `explain` and for special answers. */
export const ENTRY_FLAG = {
  SERVICE: 1,
  HEADLESS: 2,
  EXTERNAL_NAME: 4,
  ENDPOINT: 8,
  PORT: 16,
  NAMESPACE: 32,
  POD: 64,
} as const;
