// Directive `bind` -> addresses of the block's listeners. Control thread.
import os from 'node:os';
import { parseIpAddress } from '../../base/ip-address.ts';
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive, Token } from '../../config/directive.ts';

const OPTIONS = ['except'] as const;

/** `bind` has no handler. */
export type BindOptions = undefined;

/** Addresses of the machine's network interfaces, by interface name. */
export type Interfaces = () => ReturnType<typeof os.networkInterfaces>;

/**
 * Reads `bind ADDRESS|INTERFACE.. { except ADDRESS|INTERFACE.. }`; several add up. An interface stands for the addresses
 * it has now: later ones are taken up by a reload.
 *
 * @param interfaces replaced in tests
 * @throws ConfigError `ARGUMENT_COUNT`, `OPTION_UNKNOWN`; `ADDRESS` for a word that is neither
 */
export function setupBind(
  directives: readonly Directive[],
  context: SetupContext,
  interfaces: Interfaces = os.networkInterfaces,
): BindOptions {
  const all: string[] = [];
  for (const directive of directives) {
    directive.expectArguments(1, Number.POSITIVE_INFINITY);
    const except = new Set<string>();
    for (const option of directive.options()) {
      if (option.name !== 'except') throw directive.unknownOption(option, OPTIONS);
      option.expectArguments(1, Number.POSITIVE_INFINITY);
      // Of several `except` lines CoreDNS keeps the last; leaving out what all of them name is what they say.
      for (const word of option.args) for (const address of expand(directive, word, interfaces)) except.add(address);
    }
    for (const word of directive.args) {
      for (const address of expand(directive, word, interfaces)) if (!except.has(address)) all.push(address);
    }
  }
  context.listener.bind = all;
}

function expand(directive: Directive, word: Token, interfaces: Interfaces): string[] {
  const addresses = interfaces()[word.text];
  if (addresses !== undefined) {
    return addresses.map(({ address, scopeid }) =>
      scopeid === undefined || scopeid === 0 || address.includes('%') ? address : `${address}%${word.text}`,
    );
  }
  const parsed = parseIpAddress(word.text);
  if (parsed === undefined || parsed.zone !== '') {
    throw directive.error(
      'ADDRESS',
      `neither an IP address nor a network interface: ${JSON.stringify(word.text)}`,
      word.line,
    );
  }
  return [word.text];
}
