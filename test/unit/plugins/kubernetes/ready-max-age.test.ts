// Option `ready_max_age`: what is read of it and what is refused.
import test from 'ava';
import type { KubernetesSourceOptions } from '../../../../lib/chain/kubernetes-source.ts';
import { ConfigError } from '../../../../lib/base/errors.ts';
import type { SourceSpec } from '../../../../lib/chain/plugin.ts';
import { setupKubernetes } from '../../../../lib/plugins/kubernetes/setup.ts';
import { parseTestCorefile } from '../../config/parse-test-corefile.ts';
import { BlockRig } from '../block-rig.ts';

function optionsOf(lines: string): KubernetesSourceOptions {
  const { directives } = parseTestCorefile(`. {\nkubernetes cluster.local {\n${lines}\n}\n}\n`).blocks[0]!;
  const sources: SourceSpec[] = [];
  setupKubernetes(directives, { ...new BlockRig('whoami').context, addSource: (source) => sources.push(source) });
  return sources[0]!.options as KubernetesSourceOptions;
}

test('ready_max_age: off unless given', (t) => {
  t.is(optionsOf('').readyMaxAgeMs, undefined);
  t.is(optionsOf('ready_max_age 2m').readyMaxAgeMs, 120_000);
});

const REFUSED = [
  // body                                              code               message
  [
    'endpoint http://127.0.0.1:1\nready_max_age 89s',
    'ARGUMENT_VALUE',
    /at least 90s: an API server may be silent for a minute/,
  ],
  ['endpoint http://127.0.0.1:1\nready_max_age', 'ARGUMENT_COUNT', /ready_max_age/],
  ['endpoint http://127.0.0.1:1\nready_max_age 5', 'ARGUMENT_VALUE', /expected a duration with a unit/],
  ['manifests /tmp\nready_max_age 2m', 'OPTION_CONFLICT', /is of no use with "manifests"/],
] as const;
for (const [lines, code, message] of REFUSED) {
  test(`refused: ${JSON.stringify(lines)}`, (t) => {
    const error = t.throws(() => new BlockRig(`kubernetes cluster.local {\n${lines}\n}`), { instanceOf: ConfigError });
    t.is(error?.code, code);
    t.regex(error?.message ?? '', message);
  });
}
