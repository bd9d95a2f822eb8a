import test from 'ava';
import { findDrops, readKernelDrops } from '../../../lib/io/kernel-drops.ts';

const TABLE = `   sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  418: 0100007F:1F90 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 83711 2 0000000000000000 0
12002: 00000000000000000000000000000000:0035 00000000000000000000000000000000:0000 07 00000000:00033600 00:00000000 00000000 65532        0 183711 2 ffff8d5a4c3b2a00 4294967295
`;

for (const [inode, expected] of [
  ['83711', 0],
  ['183711', 4_294_967_295],
  ['3711', -1],
  ['', -1],
] as const) {
  test(`findDrops: inode "${inode}" has ${expected}`, (t) => {
    t.is(findDrops(TABLE, inode), expected);
  });
}

test('readKernelDrops: what is no socket, or not open, has none to tell', (t) => {
  t.is(readKernelDrops(0, 4), -1);
  t.is(readKernelDrops(1_000_000, 4), -1);
});
