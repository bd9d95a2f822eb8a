// Lowers the UDP payload size that the client announced. Worker.
import type { Env, Handler } from '../../chain/plugin.ts';
import { TRANSPORT } from '../../chain/query.ts';
import type { BufsizeOptions } from './setup.ts';

/** In OPT the class, which holds the size, stands this far before the options (RFC 6891 section 6.1.2). */
const SIZE_BEFORE_OPTIONS = 8;

export function createBufsizeHandler({ sizeBytes }: BufsizeOptions, { next }: Env): Handler {
  return function bufsize(query, answer) {
    if (query.hasEdns && query.udpSize > sizeBytes) {
      query.udpSize = sizeBytes;
      if (query.transport === TRANSPORT.UDP) query.sizeLimit = Math.min(query.sizeLimit, sizeBytes);
      // In the message too: it is what `forward` sends on.
      const at = query.packetAt + query.optionsAt - SIZE_BEFORE_OPTIONS;
      query.packet[at] = sizeBytes >>> 8;
      query.packet[at + 1] = sizeBytes;
    }
    return next(query, answer);
  };
}
