// Directive `loadbalance` -> how the addresses of an answer are reordered. Control thread.
import fs from 'node:fs';
import path from 'node:path';
import { parseIpPrefix } from '../../base/ip-address.ts';
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive, Option } from '../../config/directive.ts';
import { parseWeights, WeightFileError, type Weights } from './weights.ts';

const POLICIES = ['round_robin', 'weighted'] as const;
const DEFAULT_RELOAD_MS = 30_000;

/** An address prefix as plain data. */
export type PreferredPrefix = { readonly bytes: Uint8Array; readonly length: number; readonly address: Uint8Array };

export type LoadbalanceOptions =
  | { readonly policy: 'round_robin'; readonly prefer: readonly PreferredPrefix[] }
  | {
      readonly policy: 'weighted';
      readonly file: string;
      /** 0: the file is read once. */
      readonly reloadMs: number;
      readonly weights: Weights;
    };

/**
 * Reads `loadbalance [round_robin] { prefer CIDR.. }` or `loadbalance weighted FILE { reload DURATION }`. Of several in one
 * block the last one decides; prefixes add up.
 *
 * @throws ConfigError `ARGUMENT_COUNT`, `ARGUMENT_VALUE`, `OPTION_UNKNOWN`; `FILE` when the weights cannot be used
 */
export function setupLoadbalance(directives: readonly Directive[], context: SetupContext): LoadbalanceOptions {
  let options: LoadbalanceOptions = { policy: 'round_robin', prefer: [] };
  for (const directive of directives) {
    const given = directive.args[0];
    const policy = given === undefined ? 'round_robin' : directive.parseWord(given, POLICIES);
    if (policy === 'weighted') {
      options = readWeighted(directive, context);
      continue;
    }
    directive.expectArguments(0, 1);
    const prefer: PreferredPrefix[] = options.policy === 'round_robin' ? [...options.prefer] : [];
    for (const option of directive.options()) {
      if (option.name !== 'prefer') throw directive.unknownOption(option, ['prefer']);
      prefer.push(...readPrefixes(option));
    }
    options = { policy, prefer };
  }
  return options;
}

function readPrefixes(option: Option): PreferredPrefix[] {
  return option.args.map((word) => {
    const prefix = parseIpPrefix(word.text);
    if (prefix === undefined) throw option.valueError(word, 'an address range (10.0.0.0/8, 2001:db8::/32)');
    return prefix;
  });
}

function readWeighted(directive: Directive, context: SetupContext): LoadbalanceOptions {
  directive.expectArguments(2);
  const file = path.resolve(context.root, directive.argument(1).text);
  let reloadMs = DEFAULT_RELOAD_MS;
  for (const option of directive.options()) {
    if (option.name !== 'reload') throw directive.unknownOption(option, ['reload']);
    option.expectArguments(1);
    reloadMs = Math.max(0, option.parseDuration(option.argument()));
  }
  return { policy: 'weighted', file, reloadMs, weights: loadWeights(directive, file, reloadMs, context) };
}

function loadWeights(directive: Directive, file: string, reloadMs: number, context: SetupContext): Weights {
  let text: string;
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch (error) {
    const reason = (error as Error).message;
    if (reloadMs === 0) throw directive.error('FILE', `cannot read the weights: ${reason}`);
    context.warn(`plugin/loadbalance: cannot read the weights, trying again in ${reloadMs / 1000}s: ${reason}`);
    return {};
  }
  try {
    return parseWeights(text);
  } catch (error) {
    if (!(error instanceof WeightFileError)) throw error;
    throw directive.error('FILE', `${file}: ${error.message}`);
  }
}
