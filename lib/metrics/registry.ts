// Which metric series exist and which cells hold them. Control thread; workers only know the cell numbers.
//
// A series is declared at setup and keeps its cells for the life of the process, also across reloads, so counters never
// go back. Every worker has one row of cells; a scrape adds the rows up.

export type MetricType = 'counter' | 'gauge' | 'histogram';

export type Labels = Readonly<Record<string, string>>;

/** One series. A histogram has a cell per bucket, one for +Inf and one for the sum, in this order. */
export type Series = {
  readonly labels: Labels;
  readonly cell: number;
  /** Printed although it is zero. */
  readonly always: boolean;
};

export type Family = {
  readonly name: string;
  readonly help: string;
  readonly type: MetricType;
  /** Upper bounds of a histogram's buckets, without +Inf. */
  readonly buckets: readonly number[];
  readonly series: Map<string, Series>;
};

/** Latency buckets in seconds: 0.00025 doubling to 8.192. */
export const TIME_BUCKETS: readonly number[] = Array.from({ length: 16 }, (_, i) => 0.00025 * 2 ** i);
/** Message size buckets in bytes. */
export const SIZE_BUCKETS: readonly number[] = [
  0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16000, 32000, 48000, 64000,
];
/** Coarse latency buckets in seconds. */
export const SLIM_BUCKETS: readonly number[] = [0.00025, 0.0025, 0.025, 0.25, 2.5];

/** Cell of `coredns_panics_total` in every row: workers count a fault there without being told a number. */
export const PANICS_CELL = 0;
/** Cell of `clusterdns_udp_kernel_drops_total`, for workers likewise. */
export const KERNEL_DROPS_CELL = 1;

/** From a change in the cluster to its answer, in seconds: 0.001 doubling to 524.288. */
export const PROGRAMMING_BUCKETS: readonly number[] = Array.from({ length: 20 }, (_, i) => 0.001 * 2 ** i);

/** Cells a row can hold; declaring more is an error that names the metric. */
export const ROW_CELLS = 65_536;

export class MetricRegistry {
  readonly families: Map<string, Family> = new Map();
  #nextCell = 0;

  constructor() {
    const cell = this.counter('coredns_panics_total', 'Faults that were caught while a query was handled.', {}, true);
    if (cell !== PANICS_CELL) throw new Error('PANICS_CELL is not the first cell');
    const help = 'Datagrams that the kernel dropped because a receive buffer of a listener was full.';
    const drops = this.counter('clusterdns_udp_kernel_drops_total', help, {}, true);
    if (drops !== KERNEL_DROPS_CELL) throw new Error('KERNEL_DROPS_CELL is not the second cell');
  }

  /** Cell of a counter series, declared on first use. */
  counter(name: string, help: string, labels: Labels = {}, always = false): number {
    return this.#declare(name, help, 'counter', [], labels, always);
  }

  /** Cell of a gauge series; the rows of all workers are added up. */
  gauge(name: string, help: string, labels: Labels = {}, always = false): number {
    return this.#declare(name, help, 'gauge', [], labels, always);
  }

  /** First cell of a histogram series: a cell per bucket, +Inf, sum. */
  histogram(name: string, help: string, buckets: readonly number[], labels: Labels = {}, always = false): number {
    return this.#declare(name, help, 'histogram', buckets, labels, always);
  }

  #declare(
    name: string,
    help: string,
    type: MetricType,
    buckets: readonly number[],
    labels: Labels,
    always: boolean,
  ): number {
    let family = this.families.get(name);
    if (!family) {
      family = { name, help, type, buckets, series: new Map() };
      this.families.set(name, family);
    }
    if (family.type !== type) throw new Error(`metric ${name} declared as ${type} and as ${family.type}`);
    const key = Object.keys(labels)
      .sort()
      .map((label) => `${label}=${labels[label]}`)
      .join('\n');
    const known = family.series.get(key);
    if (known) return known.cell;
    const cell = this.#nextCell;
    this.#nextCell += type === 'histogram' ? buckets.length + 2 : 1;
    if (this.#nextCell > ROW_CELLS) throw new Error(`metric ${name}: more than ${ROW_CELLS} cells declared`);
    family.series.set(key, { labels, cell, always });
    return cell;
  }
}

/** Counts `value` in the histogram at `cell`. */
export function observe(cells: Float64Array, cell: number, buckets: readonly number[], value: number): void {
  let bucket = 0;
  while (bucket < buckets.length && value > buckets[bucket]!) bucket++;
  cells[cell + bucket]!++;
  cells[cell + buckets.length + 1]! += value;
}
