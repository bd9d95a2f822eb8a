// The SOA record of a cluster zone: at the apex as an answer, below it as the proof of a negative one. Worker.
import type { Answer } from '../../chain/answer.ts';
import type { Section } from '../../wire/record-index.ts';
import { RRTYPE } from '../../wire/types.ts';

const REFRESH_SECONDS = 7200;
const RETRY_SECONDS = 1800;
const EXPIRE_SECONDS = 86_400;
/** CoreDNS caps the record's own TTL, not its MINIMUM. */
export const MAX_SOA_TTL_SECONDS = 300;

// owner, fixed part, ns.dns.<zone>, hostmaster.<zone>, five numbers
const OWNER_AT = 0;
const MNAME_ZONE_AT = 12 + 7;
const RNAME_ZONE_AT = MNAME_ZONE_AT + 2 + 11;
const SERIAL_AT = RNAME_ZONE_AT + 2;
const LENGTH = SERIAL_AT + 20;

/** A prepared SOA record in which only zone pointers and serial change from one answer to the next. */
export class SoaRecord {
  readonly #record = new Uint8Array(LENGTH);

  /** @param ttlSeconds of the zone's records; also the MINIMUM (RFC 2308 section 4) */
  constructor(ttlSeconds: number) {
    const view = new DataView(this.#record.buffer);
    view.setUint16(2, RRTYPE.SOA);
    view.setUint16(4, 1);
    view.setUint32(6, Math.min(ttlSeconds, MAX_SOA_TTL_SECONDS));
    view.setUint16(10, LENGTH - 12);
    this.#record.set(Buffer.from('\x02ns\x03dns', 'latin1'), 12);
    this.#record.set(Buffer.from('\x0ahostmaster', 'latin1'), MNAME_ZONE_AT + 2);
    view.setUint32(SERIAL_AT + 4, REFRESH_SECONDS);
    view.setUint32(SERIAL_AT + 8, RETRY_SECONDS);
    view.setUint32(SERIAL_AT + 12, EXPIRE_SECONDS);
    view.setUint32(SERIAL_AT + 16, ttlSeconds);
  }

  /**
   * Appends the record.
   * @param zoneAt offset of the zone's name in the message: where the question ends in it
   * @param zoneLength bytes of the zone's name, for the size that is reported
   */
  add(answer: Answer, section: Section, zoneAt: number, zoneLength: number, serial: number): void {
    const record = this.#record;
    const high = 0xc0 | (zoneAt >>> 8);
    record[OWNER_AT] = high;
    record[OWNER_AT + 1] = zoneAt;
    record[MNAME_ZONE_AT] = high;
    record[MNAME_ZONE_AT + 1] = zoneAt;
    record[RNAME_ZONE_AT] = high;
    record[RNAME_ZONE_AT + 1] = zoneAt;
    record[SERIAL_AT] = serial >>> 24;
    record[SERIAL_AT + 1] = serial >>> 16;
    record[SERIAL_AT + 2] = serial >>> 8;
    record[SERIAL_AT + 3] = serial;
    answer.addPrepared(section, RRTYPE.SOA, record, LENGTH, 3 * (zoneLength - 2));
  }
}
