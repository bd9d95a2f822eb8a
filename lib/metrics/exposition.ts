// All metrics as Prometheus text, format 0.0.4, byte for byte as Go's client writes it. Control thread, once a scrape.
import { sumCell } from './cells.ts';
import { formatFloat } from './number-text.ts';
import type { Family, Labels, MetricRegistry, MetricType } from './registry.ts';

export const EXPOSITION_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8; escaping=underscores';

/** A family whose values are computed at the moment of the scrape. */
export type Sample = { readonly labels?: Labels; readonly value: number };
export type SampledFamily = {
  readonly name: string;
  readonly help: string;
  readonly type: Exclude<MetricType, 'histogram'>;
  readonly samples: readonly Sample[];
};

/**
 * Writes every family that has something to show, sorted by name, series sorted by their label values.
 *
 * @param rows cells of all threads; their sum is the value
 * @param sampled families outside of the registry
 */
export function formatExposition(
  registry: MetricRegistry,
  rows: readonly Float64Array[],
  sampled: readonly SampledFamily[] = [],
): string {
  const texts = new Map<string, string>();
  for (const family of registry.families.values()) {
    const series = family.type === 'histogram' ? formatHistograms(family, rows) : formatValues(family, rows);
    if (series !== '') texts.set(family.name, formatHead(family) + series);
  }
  for (const family of sampled) {
    if (family.samples.length === 0) continue;
    const lines = family.samples.map(({ labels = {}, value }) => formatLine(family.name, labels, formatFloat(value)));
    texts.set(family.name, formatHead(family) + lines.join(''));
  }
  return [...texts.keys()]
    .sort()
    .map((name) => texts.get(name)!)
    .join('');
}

function formatHead({ name, help, type }: Pick<Family, 'name' | 'help' | 'type'>): string {
  const escaped = help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  return `# HELP ${name} ${escaped}\n# TYPE ${name} ${type}\n`;
}

function formatValues(family: Family, rows: readonly Float64Array[]): string {
  let text = '';
  for (const { labels, cell, always } of sortSeries(family)) {
    const value = sumCell(rows, cell);
    if (value !== 0 || always) text += formatLine(family.name, labels, formatFloat(value));
  }
  return text;
}

function formatHistograms(family: Family, rows: readonly Float64Array[]): string {
  const { name, buckets } = family;
  let text = '';
  for (const { labels, cell, always } of sortSeries(family)) {
    const counts = Array.from({ length: buckets.length + 1 }, (_, index) => sumCell(rows, cell + index));
    if (!always && counts.every((count) => count === 0)) continue;
    let below = 0;
    for (const [index, count] of counts.entries()) {
      below += count;
      const bound = index === buckets.length ? '+Inf' : formatFloat(buckets[index]!);
      text += formatLine(`${name}_bucket`, labels, formatFloat(below), bound);
    }
    text += formatLine(`${name}_sum`, labels, formatFloat(sumCell(rows, cell + buckets.length + 1)));
    text += formatLine(`${name}_count`, labels, formatFloat(below));
  }
  return text;
}

/** By label values, label by label in the order of the label names. */
function sortSeries(family: Family): { labels: Labels; cell: number; always: boolean }[] {
  return [...family.series.values()]
    .map((series) => ({ series, values: sortedNames(series.labels).map((label) => series.labels[label]!) }))
    .sort((a, b) => compareValues(a.values, b.values))
    .map(({ series }) => series);
}

function compareValues(a: readonly string[], b: readonly string[]): number {
  for (let index = 0; index < a.length && index < b.length; index++) {
    if (a[index]! < b[index]!) return -1;
    if (a[index]! > b[index]!) return 1;
  }
  return a.length - b.length;
}

function sortedNames(labels: Labels): string[] {
  return Object.keys(labels).sort();
}

function formatLine(name: string, labels: Labels, value: string, bound?: string): string {
  const pairs = sortedNames(labels).map((label) => `${label}="${escapeValue(labels[label]!)}"`);
  // Unlike the other labels `le` stands last, not in its place in the alphabet.
  if (bound !== undefined) pairs.push(`le="${bound}"`);
  return pairs.length === 0 ? `${name} ${value}\n` : `${name}{${pairs.join(',')}} ${value}\n`;
}

function escapeValue(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
}
