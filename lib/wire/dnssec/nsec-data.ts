// Data of NSEC records made here (RFC 4034 section 4). Pure; cold paths.
import { RdataWriter } from '../rdata/codec.ts';
import { writeTypeBitmap } from '../rdata/fields.ts';

/** @param next wire form; @param types that exist at the name, in any order */
export function makeNsecData(next: Uint8Array, types: readonly number[]): Uint8Array {
  const to = new RdataWriter();
  to.append(next);
  writeTypeBitmap([...types], to);
  return to.finish();
}
