// `-check`: everything up to the sockets, with every problem that can be found in one go. Control thread.
import type { ConfigError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { MetricRegistry } from '../metrics/registry.ts';
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
    const claimTree = ({ key }: { readonly key: string }): number => {
      const tree = trees.get(key) ?? trees.size + 1;
      trees.set(key, tree);
      return tree;
    };
    await configure(corefile, 0, { metrics: new MetricRegistry(), log, claimTree }, take);
  } catch (error) {
    const isPlaced = typeof (error as Partial<ConfigError>).format === 'function';
    if (!isPlaced) throw error;
    take(error as ConfigError);
  }
  return problems.sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line));
}
