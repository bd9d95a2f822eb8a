// Directive `nsid` -> the server's identifier as an EDNS option. Control thread.
import os from 'node:os';
import { expectOnce } from '../../chain/expect-once.ts';
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive } from '../../config/directive.ts';
import { EDNS_OPTION } from '../../wire/types.ts';

/** More would crowd the answer out of a UDP message. */
const MAX_TEXT_BYTES = 512;

export type NsidOptions = {
  /** Code, length and text: the option as it is sent. */
  readonly option: Uint8Array;
};

/**
 * Reads `nsid [WORD..]`; without words the host name.
 *
 * @throws ConfigError `DIRECTIVE_REPEATED`; `ARGUMENT_COUNT` when a block follows, `ARGUMENT_VALUE` over 512 bytes
 */
export function setupNsid(directives: readonly Directive[], _context: SetupContext): NsidOptions {
  const directive = expectOnce(directives);
  directive.expectNoBlock();
  const text = Buffer.from(directive.values.join(' ') || os.hostname() || 'localhost');
  if (text.length > MAX_TEXT_BYTES) {
    throw directive.error('ARGUMENT_VALUE', `the identifier has ${text.length} bytes, at most ${MAX_TEXT_BYTES} fit`);
  }
  const head = [0, EDNS_OPTION.NSID, text.length >>> 8, text.length & 255];
  return { option: Uint8Array.from([...head, ...text]) };
}
