// Corefile text -> everything it configures, without opening a socket: parse, set up in directive order, plan. Control.
import { ConfigError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Service, Setup, SourceSpec } from '../chain/plugin.ts';
import { type Corefile, type DirectiveNames, parseCorefile } from '../config/corefile.ts';
import type { ConfigFiles } from '../config/import-files.ts';
import type { ServerBlock } from '../config/server-block.ts';
import type { Plan } from '../link/plan.ts';
import type { MetricRegistry } from '../metrics/registry.ts';
import {
  CONFIG_ONLY,
  EXTERNAL_DIRECTIVES,
  NOT_BUILT_ADVICE,
  PLUGIN_ORDER,
  REMOVED_DIRECTIVES,
} from '../plugins/order.ts';
import { SETUPS } from '../plugins/setups.ts';
import { buildPlan } from './plan-builder.ts';
import { BlockSetup, type SetupEnv } from './setup-context.ts';

export type ConfigureEnv = {
  readonly metrics: MetricRegistry;
  readonly log: Logger;
  readonly claimTree: (source: SourceSpec) => number;
  readonly setups?: Readonly<Record<string, Setup<unknown>>>;
  readonly files?: ConfigFiles;
};

export type CorefileText = {
  readonly text: string;
  /** As the operator wrote it; what messages name. */
  readonly file: string;
};

/** A configuration that can be served. */
export type Configuration = {
  readonly plan: Plan;
  readonly services: readonly Service[];
  /** SHA-512 that CoreDNS prints for the same Corefile. */
  readonly hash: string;
  /** Sockets asked for by each block; 0: its own choice. */
  readonly sockets: readonly number[];
};

/** Names of directives a Corefile may use, and what to say about others. */
export function directiveNames(setups: Readonly<Record<string, unknown>> = SETUPS): DirectiveNames {
  return {
    all: PLUGIN_ORDER,
    built: new Set(Object.keys(setups)),
    removed: REMOVED_DIRECTIVES,
    external: EXTERNAL_DIRECTIVES,
    notBuilt: NOT_BUILT_ADVICE,
  };
}

/** @throws ConfigError, the first problem of the text itself */
export function parse(
  source: CorefileText,
  port: number,
  onNotBuilt?: (error: ConfigError) => void,
  files?: ConfigFiles,
): Corefile {
  return parseCorefile(source.text, {
    file: source.file,
    directives: directiveNames(),
    defaultPort: port,
    ...(onNotBuilt === undefined ? {} : { onNotBuilt }),
    ...(files === undefined ? {} : { files }),
  });
}

/**
 * Sets a parsed Corefile up, directive by directive over all blocks, and makes the plan.
 *
 * @param onProblem takes every problem and lets the rest go on; without it the first one is thrown
 * @returns undefined when `onProblem` was called
 * @throws ConfigError
 */
export async function configure(
  corefile: Corefile,
  generation: number,
  env: ConfigureEnv,
  onProblem?: (error: ConfigError) => void,
): Promise<Configuration | undefined> {
  let failed = false;
  const report = (error: unknown): void => {
    if (onProblem === undefined || !(error instanceof ConfigError)) throw error;
    failed = true;
    onProblem(error);
  };
  for (const { message, file, line } of corefile.warnings) env.log.warning(`${file}:${line}: ${message}`);
  const blocks = corefile.blocks.map((block) => new BlockSetup(block, envFor(block, env)));
  for (const name of PLUGIN_ORDER) await runSetups(name, blocks, env.setups ?? SETUPS, report);
  let plan: Plan | undefined;
  try {
    plan = buildPlan(blocks, generation, env.metrics);
  } catch (error) {
    report(error);
  }
  if (failed || plan === undefined) return undefined;
  return {
    plan,
    services: blocks.flatMap(({ services }) => services),
    hash: corefile.hash,
    sockets: blocks.map(({ listener }) => listener.sockets),
  };
}

function envFor(block: ServerBlock, { metrics, log, claimTree }: ConfigureEnv): SetupEnv {
  return {
    metrics,
    log,
    claimTree,
    warn: (text) => log.warning(text.startsWith('plugin/') ? text : `${block.file}:${block.line}: ${text}`),
  };
}

async function runSetups(
  name: string,
  blocks: readonly BlockSetup[],
  setups: Readonly<Record<string, Setup<unknown>>>,
  report: (error: unknown) => void,
): Promise<void> {
  const setup = setups[name];
  if (setup === undefined) return;
  for (const block of blocks) {
    const directives = block.block.directives.filter(({ owner }) => owner === name);
    if (directives.length === 0) continue;
    try {
      const options = await setup(directives, block);
      if (!CONFIG_ONLY.has(name)) block.chain.push({ plugin: name, options });
    } catch (error) {
      report(error instanceof Error ? placeError(error, directives[0]!) : error);
    }
  }
}

/** An error that a setup did not foresee, with at least the directive's place. */
function placeError(error: Error, at: { readonly name: string; readonly file: string; readonly line: number }): Error {
  if (error instanceof ConfigError) return error;
  return new ConfigError('FILE', `${at.name}: ${error.message}`, at.file, at.line);
}
