// `-check`: everything up to the sockets, with every problem that can be found in one go. Control thread.
import { systemClock } from '../base/clock.ts';
import { ConfigError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { SourceSpec } from '../chain/plugin.ts';
import { MetricRegistry } from '../metrics/registry.ts';
import { startSource } from '../sources/start-source.ts';
import { createStoreMemory } from '../store/layout.ts';
import { StoreWriter } from '../store/writer.ts';
import { configure, type CorefileText, parse } from './configure.ts';

/**
 * Parses and sets up a Corefile. A text that does not parse has one problem, its first; else every directive is looked
 * at on its own.
 *
 * @param port of `dns` keys without one
 * @returns the problems in the order of file and line, empty when the Corefile can be served
 */
export async function checkCorefile(source: CorefileText, port: number, log: Logger): Promise<readonly ConfigError[]> {
  const problems: ConfigError[] = [];
  const take = (error: ConfigError): void => void problems.push(error);
  try {
    const corefile = parse(source, port, take);
    // Trees are numbers here, nothing is written to them.
    const trees = new Map<string, number>();
    const zoneFiles: SourceSpec[] = [];
    const claimTree = (spec: SourceSpec): number => {
      const { key } = spec;
      if (spec.kind === 'file' && !trees.has(key)) zoneFiles.push(spec);
      const tree = trees.get(key) ?? trees.size + 1;
      trees.set(key, tree);
      return tree;
    };
    await configure(corefile, 0, { metrics: new MetricRegistry(), log, claimTree }, take);
    for (const spec of zoneFiles) await checkZoneFile(spec, log, take);
  } catch (error) {
    const isPlaced = typeof (error as Partial<ConfigError>).format === 'function';
    if (!isPlaced) throw error;
    take(error as ConfigError);
  }
  return problems.sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line));
}

/** Reads the zones of a `file` line into a store of their own that is thrown away. */
async function checkZoneFile(spec: SourceSpec, log: Logger, take: (error: ConfigError) => void): Promise<void> {
  const writer = new StoreWriter(createStoreMemory({ readers: 1 }));
  const env = { writer, tree: writer.openTree(), clock: systemClock, log, cells: new Float64Array(0) };
  try {
    (await startSource(spec, env)).stop();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    take(error);
  }
}
