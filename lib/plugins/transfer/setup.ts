// Directive `transfer` -> who may copy which zones. Control thread.
import { formatIpAddress, parseIpAddress, splitHostPort } from '../../base/ip-address.ts';
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive, Option, Token } from '../../config/directive.ts';

/** A server that holds a copy. */
export type Secondary = { readonly address: string; readonly port: number };

/** One directive: who may ask for these zones and who hears of their changes. */
export type TransferRule = {
  readonly zones: readonly string[];
  /** `*` stands among the hosts. */
  readonly anyone: boolean;
  readonly secondaries: readonly Secondary[];
  /** Local address of NOTIFY messages, '' for the system's choice. */
  readonly source: string;
};

export type TransferOptions = { readonly rules: readonly TransferRule[] };

const DEFAULT_PORT = 53;
const OPTIONS = ['to', 'source'] as const;

/**
 * Reads `transfer [ZONES...] { to HOST... ; source ADDRESS }`, as often as it stands in the block.
 *
 * @throws ConfigError `ARGUMENT_COUNT`, `ADDRESS`, `OPTION_UNKNOWN`, `OPTION_CONFLICT`
 */
export function setupTransfer(directives: readonly Directive[], context: SetupContext): TransferOptions {
  return { rules: directives.map((directive) => readRule(directive, context)) };
}

function readRule(directive: Directive, context: SetupContext): TransferRule {
  const zones = directive.parseZones(directive.args, context.zones);
  const secondaries: Secondary[] = [];
  let anyone = false;
  let source = '';
  for (const option of directive.options()) {
    if (option.name === 'to') {
      option.expectArguments(1, Number.POSITIVE_INFINITY);
      for (const token of option.args) {
        if (token.text === '*') anyone = true;
        else secondaries.push(readHost(option, token));
      }
    } else if (option.name === 'source') {
      option.expectArguments(1);
      if (source !== '') throw option.error('OPTION_CONFLICT', 'source: can stand once');
      source = readAddress(option, option.argument(), option.argument().text);
    } else throw directive.unknownOption(option, OPTIONS);
  }
  if (!anyone && secondaries.length === 0) {
    throw directive.error(
      'ARGUMENT_COUNT',
      '"to" is missing: write who may copy the zones, as in "to 192.0.2.1" or "to *"',
    );
  }
  return { zones, anyone, secondaries, source };
}

/** An address, or an address and a port. */
function readHost(option: Option, token: Token): Secondary {
  const parts = parseIpAddress(token.text) ? undefined : splitHostPort(token.text);
  if (!parts) return { address: readAddress(option, token, token.text), port: DEFAULT_PORT };
  const port = parts.port === '' ? DEFAULT_PORT : Number(parts.port);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw addressError(option, token);
  return { address: readAddress(option, token, parts.host), port };
}

function readAddress(option: Option, token: Token, text: string): string {
  const address = parseIpAddress(text);
  if (!address) throw addressError(option, token);
  return formatIpAddress(address.bytes, address.zone);
}

function addressError(option: Option, { text, line }: Token): Error {
  return option.error(
    'ADDRESS',
    `${option.name}: ${JSON.stringify(text)} is not an IP address, with or without a port`,
    line,
  );
}
