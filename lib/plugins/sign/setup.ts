// Directive `sign` -> a source for each zone that keeps a signed zone file. Control thread.
import path from 'node:path';
import { readKeyOption } from '../../chain/key-files.ts';
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive } from '../../config/directive.ts';
import type { SigningKeyData } from '../../wire/dnssec/signing-key.ts';

const DEFAULT_DIRECTORY = '/var/lib/coredns';
const OPTIONS = ['key', 'directory'] as const;
const ENTRY_KEY_FLAGS = 0x0101;

/** Nothing goes to the workers. */
export type SignOptions = Record<string, never>;

/**
 * Reads `sign DBFILE [ZONE..] { key file NAME.. ; directory DIR }`, any number of lines.
 *
 * @throws ConfigError `ARGUMENT_COUNT`, `ARGUMENT_VALUE`, `OPTION_UNKNOWN`, `FILE`
 */
export function setupSign(directives: readonly Directive[], context: SetupContext): SignOptions {
  const cells = {
    signed: context.metrics.counter('clusterdns_sign_zones_total', 'Zone files signed.'),
    failures: context.metrics.counter('clusterdns_sign_failures_total', 'Zone files that could not be signed.'),
  };
  for (const directive of directives) {
    const [fileWord, ...zoneWords] = directive.args;
    if (fileWord === undefined) throw directive.error('ARGUMENT_COUNT', 'needs the name of a zone file');
    const { keys, directory } = readOptions(directive, context);
    if (keys.length === 0) {
      context.warn('plugin/sign: there is no "key", nothing is signed');
      continue;
    }
    const file = path.resolve(context.root, fileWord.text);
    for (const zone of directive.parseZones(zoneWords, context.zones)) {
      // The form of `SignSourceOptions` in lib/sources/zone-signer/source.ts.
      const options = { file, zone, directory, keys, cells };
      const identity = keys.map(({ dnskey }) => Buffer.from(dnskey).toString('base64'));
      context.addSource({ kind: 'sign', key: JSON.stringify({ file, zone, directory, identity }), options });
    }
  }
  return {};
}

function readOptions(
  directive: Directive,
  context: SetupContext,
): { readonly keys: readonly SigningKeyData[]; readonly directory: string } {
  const keys: SigningKeyData[] = [];
  let directory = DEFAULT_DIRECTORY;
  for (const option of directive.options()) {
    switch (option.name) {
      case 'key':
        for (const [i, key] of readKeyOption(option, context.root).entries()) {
          const name = option.args[i + 1]!;
          if ((((key.dnskey[0]! << 8) | key.dnskey[1]!) & ENTRY_KEY_FLAGS) !== ENTRY_KEY_FLAGS) {
            throw option.error('ARGUMENT_VALUE', `key: ${name.text} is not an entry key (flags 257)`, name.line);
          }
          keys.push(key);
        }
        break;
      case 'directory':
        option.expectArguments(1);
        directory = path.resolve(context.root, option.argument().text);
        break;
      default:
        throw directive.unknownOption(option, OPTIONS);
    }
  }
  return { keys, directory };
}
