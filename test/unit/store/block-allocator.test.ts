import test from 'ava';
import { BlockAllocator } from '../../../lib/store/block-allocator.ts';
import { createRandom } from './random.ts';

const UNITS = 4096;

function createAllocator(): { blocks: BlockAllocator; words: Int32Array } {
  const words = new Int32Array(UNITS * 4);
  return { blocks: new BlockAllocator(words, 1), words };
}

test('allocate: blocks follow each other until the arena is full, then 0', (t) => {
  const { blocks } = createAllocator();
  t.is(blocks.allocate(1), 1);
  t.is(blocks.allocate(4000), 2);
  t.is(blocks.allocate(95), 0);
  t.is(blocks.allocate(94), 4002);
  t.is(blocks.allocate(1), 0);
});

test('free: neighbours merge, whatever the order', (t) => {
  for (const order of [
    [0, 1, 2],
    [2, 1, 0],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
  ]) {
    const { blocks } = createAllocator();
    const sizes = [1, 7, 100];
    const units = sizes.map((size) => blocks.allocate(size));
    const behind = blocks.allocate(1);
    for (const i of order) blocks.free(units[i]!, sizes[i]!);
    t.is(blocks.freeUnits, 108);
    t.is(blocks.allocate(108), 1, `order ${order.join()}`);
    blocks.free(1, 108);
    blocks.free(behind, 1);
    t.is(blocks.topUnit, 1);
    t.is(blocks.freeUnits, 0);
    t.is(blocks.peakUnit, 110);
  }
});

test('allocate: a full arena still finds a block in the bin whose lower end is too small', (t) => {
  const { blocks } = createAllocator();
  const unit = blocks.allocate(1030);
  blocks.allocate(UNITS - 1031);
  blocks.free(unit, 1030);
  t.is(blocks.allocate(1031), 0);
  t.is(blocks.allocate(1030), unit);
});

test('random histories: blocks never overlap, contents stay, and everything merges back in the end', (t) => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = createRandom(seed);
    const { blocks, words } = createAllocator();
    const held: { unit: number; size: number; mark: number }[] = [];
    let heldUnits = 0;
    for (let step = 0; step < 4000; step++) {
      if (random(100) < 52) {
        const size = random(10) === 0 ? 1 + random(300) : 1 + random(12);
        const unit = blocks.allocate(size);
        if (unit === 0) continue;
        if (unit < 1 || unit + size > UNITS) throw new Error(`seed ${seed}: ${unit}+${size} outside`);
        words.fill(step, unit * 4, (unit + size) * 4);
        held.push({ unit, size, mark: step });
        heldUnits += size;
      } else if (held.length > 0) {
        const [block] = held.splice(random(held.length), 1);
        const { unit, size, mark } = block!;
        if (words.subarray(unit * 4, (unit + size) * 4).some((word) => word !== mark)) {
          throw new Error(`seed ${seed}, step ${step}: block ${unit}+${size} was overwritten`);
        }
        blocks.free(unit, size);
        heldUnits -= size;
      }
      if (blocks.topUnit - 1 - blocks.freeUnits !== heldUnits) throw new Error(`seed ${seed}: units do not add up`);
    }
    for (const { unit, size } of held) blocks.free(unit, size);
    t.is(blocks.topUnit, 1, `seed ${seed}`);
    t.is(blocks.freeUnits, 0);
  }
});
