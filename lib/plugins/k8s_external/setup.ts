// Directive `k8s_external` -> zones for use outside of the cluster. Control thread.
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive, Option } from '../../config/directive.ts';
import { isReverseZone } from '../../config/zone-name.ts';
import { parseName } from '../../wire/name.ts';

export type ExternalOptions = {
  readonly zones: readonly { readonly zone: string; readonly isReverse: boolean }[];
  /** Zone that PTR targets end in: the first that is no reverse zone. */
  readonly primaryZone: string;
  /** Label, or labels, below the zone that its name servers are under. */
  readonly apex: string;
  readonly ttlSeconds: number;
  /** Headless Services without external addresses answer with their endpoints. */
  readonly headless: boolean;
  /** Zones below which NXDOMAIN is passed on; undefined: never. */
  readonly fallthrough: readonly string[] | undefined;
};

const OPTIONS = ['apex', 'ttl', 'headless', 'fallthrough'] as const;
const MAX_TTL_SECONDS = 3600;

/**
 * Reads `k8s_external [ZONES...] { ... }`; see README.md. Of several directives the last one's zones count, as in CoreDNS.
 *
 * @throws ConfigError `OPTION_CONFLICT` without *kubernetes* in the block; `ARGUMENT_COUNT`, `ARGUMENT_VALUE`,
 *   `OPTION_UNKNOWN`
 */
export function setupK8sExternal(directives: readonly Directive[], context: SetupContext): ExternalOptions {
  const draft = { apex: 'dns', ttlSeconds: 5, headless: false, fallthrough: undefined as string[] | undefined };
  let zones: readonly string[] = context.zones;
  for (const directive of directives) {
    if (!context.directives.includes('kubernetes')) {
      throw directive.error('OPTION_CONFLICT', 'needs the kubernetes plugin in the same server block');
    }
    zones = directive.parseZones(directive.args, context.zones);
    for (const option of directive.options()) readOption(draft, option, directive);
  }
  return {
    ...draft,
    zones: zones.map((zone) => ({ zone, isReverse: isReverseZone(zone) })),
    primaryZone: zones.find((zone) => !isReverseZone(zone)) ?? zones[0] ?? '.',
  };
}

function readOption(
  draft: { apex: string; ttlSeconds: number; headless: boolean; fallthrough: string[] | undefined },
  option: Option,
  directive: Directive,
): void {
  switch (option.name) {
    case 'apex':
      draft.apex = option.argument().text.toLowerCase();
      if (parseName(draft.apex) === undefined) throw option.valueError(option.argument(), 'a label such as "dns"');
      return;
    case 'ttl':
      draft.ttlSeconds = option.parseInteger(option.argument(), { min: 0, max: MAX_TTL_SECONDS });
      return;
    case 'headless':
      draft.headless = true;
      return;
    case 'fallthrough':
      draft.fallthrough = option.parseZones(option.args, ['.']);
      return;
    default:
      throw directive.unknownOption(option, OPTIONS);
  }
}
