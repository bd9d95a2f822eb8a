// Directive `loop` -> whether a loop ends the process; then also a probe that the control thread sends and the handler recognises. Control thread.
import { randomInt } from 'node:crypto';
import { formatHostPort } from '../../base/ip-address.ts';
import { expectOnce } from '../../chain/expect-once.ts';
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive } from '../../config/directive.ts';

/** Bound of the random label; `randomInt` takes no more. */
const LABEL_RANGE = 2 ** 48 - 1;

export type LoopOptions = {
  readonly zone: string;
  /** End of the probe's name, absolute: a random label and the zone. */
  readonly probe: string;
  /** Where the probe is sent, host empty for all addresses; for the message. */
  readonly address: string;
  /** End the process, as CoreDNS does, instead of asking looped upstreams no more. */
  readonly exits: boolean;
};

/**
 * Reads `loop [exit]`.
 *
 * @throws ConfigError `ARGUMENT_COUNT`, `DIRECTIVE_REPEATED`
 */
export function setupLoop(directives: readonly Directive[], context: SetupContext): LoopOptions {
  for (const directive of directives) {
    directive.expectArguments(0, 1);
    directive.expectNoBlock();
  }
  const directive = expectOnce(directives);
  const [mode] = directive.args;
  if (mode !== undefined) directive.parseWord(mode, ['exit']);
  const exits = mode !== undefined;
  const zone = context.zones[0] ?? '.';
  const probe = `${drawLabel()}.${zone === '.' ? '' : zone}`;
  const address = formatHostPort(context.listener.bind[0] ?? '', context.keys[0]?.port ?? 53);
  if (exits) context.addService({ kind: 'loop', zone, probe, address });
  return { zone, probe, address, exits };
}

/** A label that nobody can guess within the seconds it matters. */
export function drawLabel(): string {
  return String(randomInt(LABEL_RANGE));
}
