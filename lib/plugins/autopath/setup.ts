// Directive `autopath` -> whose search path is followed for which zones. Control thread.
import fs from 'node:fs';
import path from 'node:path';
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive, Token } from '../../config/directive.ts';
import { readSearchDomains } from '../../config/resolv-conf.ts';

export type AutopathOptions = {
  readonly zones: readonly string[];
  /** The same search path for every client; empty when a plugin knows it. */
  readonly search: readonly string[];
  /** Plugin that knows each client's search path, '' for none. */
  readonly plugin: string;
  /** Cells of `coredns_autopath_success_total` by server. */
  readonly successCells: readonly number[];
};

/** Plugins that know the search paths of clients. */
const FINDERS: readonly string[] = ['kubernetes'];

/**
 * Reads `autopath [ZONES...] FILE|@PLUGIN`. Of several directives the last one counts, as in CoreDNS.
 *
 * @throws ConfigError `ARGUMENT_COUNT`, `ARGUMENT_VALUE`, `FILE`
 */
export function setupAutopath(directives: readonly Directive[], context: SetupContext): AutopathOptions {
  for (const directive of directives) {
    directive.expectArguments(1, Number.POSITIVE_INFINITY);
    directive.expectNoBlock();
  }
  const directive = directives.at(-1)!;
  const where = directive.args.at(-1)!;
  const isPlugin = where.text.startsWith('@');
  const plugin = isPlugin ? where.text.slice(1) : '';
  if (isPlugin) checkPlugin(directive, where, plugin, context);
  return {
    zones: directive.parseZones(directive.args.slice(0, -1), context.zones),
    search: isPlugin ? [] : readFile(directive, where, context),
    plugin,
    successCells: context.servers.map((server) =>
      context.metrics.counter(
        'coredns_autopath_success_total',
        'Queries answered by a name further down the search path.',
        { server },
      ),
    ),
  };
}

function checkPlugin(directive: Directive, where: Token, plugin: string, context: SetupContext): void {
  if (!context.directives.includes(plugin)) {
    context.warn(`autopath: there is no "${plugin}" in this server block, so no search path is followed`);
  } else if (!FINDERS.includes(plugin)) {
    throw directive.valueError(where, '@kubernetes or a file in the form of resolv.conf');
  }
}

function readFile(directive: Directive, where: Token, context: SetupContext): string[] {
  const file = path.resolve(context.root, where.text);
  try {
    return readSearchDomains(fs.readFileSync(file, 'utf8'));
  } catch (error) {
    throw directive.error('FILE', (error as Error).message, where.line);
  }
}
