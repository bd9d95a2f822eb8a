// The template of `auto`: puts groups of a match into an origin. Control thread.
import type { GoMatch } from '../../base/go-regexp.ts';

const PLACE = /\{(\w+)\}|\$(\w+)/g;

/** Replaces `{1}`, `{name}` and `$1` by the match's groups; one that is not there or took no part is empty. */
export function expandTemplate(template: string, match: GoMatch): string {
  return template.replace(PLACE, (_place, braced: string | undefined, bare: string | undefined) => {
    const group = braced ?? bare ?? '';
    return match.groups[/^\d+$/.test(group) ? Number(group) : (match.names.get(group) ?? -1)] ?? '';
  });
}
