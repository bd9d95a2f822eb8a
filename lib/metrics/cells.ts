// The memory of all metric values: one row of cells per worker and one for the control thread. Both kinds of thread.
import { type MetricRegistry, ROW_CELLS } from './registry.ts';

const CELL_BYTES = 8;

/** Rows for workers 0 to `workers - 1`; the last row is the control thread's. Untouched pages cost nothing. */
export function createCellMemory(workers: number): SharedArrayBuffer {
  return new SharedArrayBuffer((workers + 1) * ROW_CELLS * CELL_BYTES);
}

/** The row that one thread counts in; the control thread's is `workers`. No other thread writes to it. */
export function rowOf(memory: SharedArrayBuffer, row: number): Float64Array {
  return new Float64Array(memory, row * ROW_CELLS * CELL_BYTES, ROW_CELLS);
}

/** Every row of the memory, for adding up. */
export function allRows(memory: SharedArrayBuffer): Float64Array[] {
  const rows = memory.byteLength / (ROW_CELLS * CELL_BYTES);
  return Array.from({ length: rows }, (_, row) => rowOf(memory, row));
}

/** Value of a cell over all threads. */
export function sumCell(rows: readonly Float64Array[], cell: number): number {
  let sum = 0;
  for (const row of rows) sum += row[cell]!;
  return sum;
}

/** Sets a row's gauges to zero: their worker ended and what they measured is gone. Counters stay. */
export function clearGauges(registry: MetricRegistry, row: Float64Array): void {
  for (const family of registry.families.values()) {
    if (family.type !== 'gauge') continue;
    for (const { cell } of family.series.values()) row[cell] = 0;
  }
}
