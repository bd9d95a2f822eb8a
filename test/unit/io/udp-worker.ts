// A worker thread with one echoing listener; tells its port and lives until it is terminated.
import { parentPort } from 'node:worker_threads';
import { openUdp } from '../../../lib/io/udp.ts';

const batch = await openUdp(
  { address: '127.0.0.1', port: 0, family: 4, reusePort: false, receiveBufferBytes: 65536 },
  {
    begin: () => undefined,
    packet(rx, rxAt, rxLength, tx, txAt) {
      for (let i = 0; i < rxLength; i++) tx[txAt + i] = rx[rxAt + i]!;
      return rxLength;
    },
    end: () => undefined,
  },
);
parentPort?.postMessage(batch.port);
