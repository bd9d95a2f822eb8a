// Directive `tsig` -> keys of the listener, and which queries must be signed. Control thread.
import fs from 'node:fs';
import path from 'node:path';
import { expectOnce } from '../../chain/expect-once.ts';
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive, Option, Token } from '../../config/directive.ts';
import { formatName, parseNameLower } from '../../wire/name.ts';
import { OPCODE, parseType } from '../../wire/types.ts';
import { KeyFileError, parseKeyFile } from './key-file.ts';

const OPTIONS = ['secret', 'secrets', 'require', 'require_opcode'] as const;

/** What a worker needs; plain data. */
export type TsigOptions = {
  readonly zones: readonly string[];
  /** Query types that must be signed, or all. */
  readonly types: readonly number[] | 'all';
  /** Opcodes that must be signed, or all. */
  readonly opcodes: readonly number[] | 'all';
};

type Draft = {
  types: readonly number[] | 'all';
  opcodes: readonly number[] | 'all';
  readonly secrets: Record<string, Uint8Array>;
};

/**
 * Reads `tsig [ZONE..] { secret NAME KEY ; secrets FILE ; require TYPE..|all|none ; require_opcode OPCODE..|all|none }`.
 *
 * @throws ConfigError `DIRECTIVE_REPEATED`, `ARGUMENT_COUNT`, `ARGUMENT_VALUE`, `OPTION_UNKNOWN`, `OPTION_CONFLICT` for a
 *   key that is given twice, `FILE`
 */
export function setupTsig(directives: readonly Directive[], context: SetupContext): TsigOptions {
  const directive = expectOnce(directives);
  const zones = directive.parseZones(directive.args, context.zones);
  const draft: Draft = { types: [], opcodes: [], secrets: {} };
  for (const option of directive.options()) readOption(directive, option, draft, context.root);
  context.listener.tsigSecrets = draft.secrets;
  return { zones, types: draft.types, opcodes: draft.opcodes };
}

function readOption(directive: Directive, option: Option, draft: Draft, root: string): void {
  switch (option.name) {
    case 'secret':
      option.expectArguments(2);
      addSecret(option, option.argument(0).text, option.argument(1).text, draft);
      break;
    case 'secrets':
      option.expectArguments(1);
      for (const { name, secret } of readKeyFile(option, root)) addSecret(option, name, secret, draft);
      break;
    case 'require':
      draft.types = readChoice(option, 'a query type such as AXFR', parseType);
      break;
    case 'require_opcode':
      draft.opcodes = readChoice(option, 'an opcode (QUERY, IQUERY, STATUS, NOTIFY, UPDATE)', findOpcode);
      break;
    default:
      throw directive.unknownOption(option, OPTIONS);
  }
}

function addSecret(option: Option, text: string, secret: string, { secrets }: Draft): void {
  const wire = parseNameLower(text);
  if (wire === undefined) throw option.valueError(text, 'the name of a key');
  const name = formatName(wire);
  if (name in secrets) throw option.error('OPTION_CONFLICT', `the key ${name} is given twice`);
  const bytes = Buffer.from(secret, 'base64');
  // The secret itself must not get into logs.
  if (bytes.length === 0 || bytes.toString('base64').replaceAll('=', '') !== secret.replaceAll('=', '')) {
    throw option.error('ARGUMENT_VALUE', `${option.name}: the secret of ${name} is not base64`);
  }
  secrets[name] = new Uint8Array(bytes);
}

function readKeyFile(option: Option, root: string): readonly { readonly name: string; readonly secret: string }[] {
  const { text } = option.argument();
  const file = path.resolve(root, text);
  try {
    return parseKeyFile(fs.readFileSync(file, 'utf8'));
  } catch (error) {
    const where = error instanceof KeyFileError ? `${text}:${error.line}` : text;
    throw option.error('FILE', `secrets: ${where}: ${(error as Error).message}`);
  }
}

function readChoice(
  option: Option,
  expected: string,
  parse: (text: string) => number | undefined,
): readonly number[] | 'all' {
  option.expectArguments(1, Number.POSITIVE_INFINITY);
  const first = option.argument().text;
  if (first === 'all') return 'all';
  if (first === 'none') return [];
  return option.args.map((word: Token) => {
    const value = parse(word.text);
    if (value === undefined) throw option.valueError(word, `${expected}, all or none`);
    return value;
  });
}

function findOpcode(text: string): number | undefined {
  return Object.hasOwn(OPCODE, text) ? OPCODE[text as keyof typeof OPCODE] : undefined;
}
