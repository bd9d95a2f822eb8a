// A whole zone handed out record by record (AXFR, RFC 5936): the contract between the `transfer` plugin and those that have
// zones. Worker. See docs/decisions/0020-replies-of-several-messages.md.
import type { Answer } from './answer.ts';
import type { Query } from './query.ts';

/** What `addRecords` came to. BROKEN: the version that was opened is gone, what was sent so far is worth nothing. */
export const TRANSFER = { MORE: 0, DONE: 1, BROKEN: 2 } as const;
export type TransferState = (typeof TRANSFER)[keyof typeof TRANSFER];

/** One version of one zone, from its first SOA record to its last. */
export interface ZoneTransfer {
  readonly serial: number;
  /** Records appended by `addRecords` so far. */
  readonly records: number;
  /**
   * Does a part of the work that has to be done before the first record, about a millisecond. Inside a batch of the store,
   * not always the same one.
   * @returns true when records can be asked for; `serial` is final then
   */
  prepare?(): boolean;
  /** Appends the zone's SOA record alone to the answer section. */
  addSoa(answer: Answer): void;
  /**
   * Appends the next records to the answer section until `answer.length` passes `limitBytes` or the zone is through, both
   * SOA records included. Inside a batch of the store, not always the same one.
   */
  addRecords(answer: Answer, limitBytes: number): TransferState;
}

/** A zone that somebody may hold a copy of; absolute, lower case. */
export type TransferableZone = { readonly zone: string; readonly serial: number };

/** A plugin with zones. */
export interface ZoneTransferer {
  /** The zone whose apex is the query's name; undefined when it is none of this plugin's or cannot be given out now. */
  open(query: Query): ZoneTransfer | undefined;
  /** Zones with their current serial, for NOTIFY. Called about once a second in one worker. */
  zones(): readonly TransferableZone[];
}
