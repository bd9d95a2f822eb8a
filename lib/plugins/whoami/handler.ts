// Tells clients their own address, port and transport. Worker.
import { Outcome } from '../../chain/outcome.ts';
import type { Env, Handler } from '../../chain/plugin.ts';
import { TRANSPORT } from '../../chain/query.ts';
import { SECTION } from '../../wire/record-index.ts';
import { setLastClass } from '../../chain/record-class.ts';
import { MAX_NAME_LENGTH } from '../../wire/name.ts';
import { RRTYPE } from '../../wire/types.ts';
import type { WhoamiOptions } from './setup.ts';

const QUESTION_NAME_AT = 12;
const UDP_LABEL = Buffer.from('\x04_udp', 'latin1');
const TCP_LABEL = Buffer.from('\x04_tcp', 'latin1');
const ROOT = Uint8Array.of(0);

export function createWhoamiHandler(_options: WhoamiOptions, _env: Env): Handler {
  const serviceName = new Uint8Array(MAX_NAME_LENGTH + 1 + UDP_LABEL.length);

  return function whoami(query, answer) {
    answer.authoritative = true;
    const size = query.family === 4 ? 4 : 16;
    const type = size === 4 ? RRTYPE.A : RRTYPE.AAAA;
    if (answer.beginRecordAt(SECTION.ADDITIONAL, QUESTION_NAME_AT, type, 0)) {
      answer.putBytes(query.clientAddress, 0, size);
      answer.endRecord();
      setLastClass(answer, query.qclass);
    }
    // A name of full length has no room for one more label.
    if (query.nameLength + UDP_LABEL.length > MAX_NAME_LENGTH) return Outcome.ANSWERED;
    serviceName.set(query.transport === TRANSPORT.UDP ? UDP_LABEL : TCP_LABEL);
    serviceName.set((query.renamed ? query.name : query.rawName).subarray(0, query.nameLength), UDP_LABEL.length);
    if (answer.beginRecord(SECTION.ADDITIONAL, serviceName, 0, RRTYPE.SRV, 0)) {
      answer.putShort(0);
      answer.putShort(0);
      answer.putShort(query.clientPort);
      answer.writePlainName(ROOT);
      answer.endRecord();
      setLastClass(answer, query.qclass);
    }
    return Outcome.ANSWERED;
  };
}
