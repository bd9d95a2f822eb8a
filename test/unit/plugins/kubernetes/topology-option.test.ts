// Options `topology` and `ptr`: what is read of them, what the source is told, and what is refused.
import test from 'ava';
import { ConfigError } from '../../../../lib/base/errors.ts';
import type { KubernetesSourceOptions } from '../../../../lib/chain/kubernetes-source.ts';
import type { SourceSpec } from '../../../../lib/chain/plugin.ts';
import { type KubernetesOptions, setupKubernetes } from '../../../../lib/plugins/kubernetes/setup.ts';
import { placeLabel } from '../../../../lib/store/place-name.ts';
import { parseTestCorefile } from '../../config/parse-test-corefile.ts';
import { BlockRig } from '../block-rig.ts';

type Read = { options: KubernetesOptions; source: KubernetesSourceOptions; key: string; trees: string[] };

function read(lines: string): Read {
  const { directives } = parseTestCorefile(`. {\nkubernetes cluster.local {\n${lines}\n}\n}\n`).blocks[0]!;
  const sources: SourceSpec[] = [];
  const options = setupKubernetes(directives, {
    ...new BlockRig('whoami').context,
    addSource: (source) => sources.push(source),
  });
  const { key, options: source } = sources.find(({ kind }) => kind === 'kubernetes')!;
  const trees = sources.filter(({ kind }) => kind === 'tree').map((spec) => spec.key.split(' ')[0]!);
  return { options, source: source as KubernetesSourceOptions, key, trees };
}

test('topology: off, nothing is asked of the source that was not before', (t) => {
  const { options, source, trees } = read('pods verified');
  t.deepEqual(trees, []);
  t.false('topology' in source || 'sortedPointers' in source);
  t.false('nearby' in options || 'ptr' in options);
});

test('topology: with verified Pods clients are found by address', (t) => {
  const { options, source, trees } = read('pods verified\ntopology zone');
  t.deepEqual(trees, ['clients', 'places']);
  t.is(source.topology, 'zone');
  t.deepEqual([options.nearby?.clients, options.nearby?.places], [source.trees.clients, source.trees.places]);
  t.is(options.nearby?.ownNode, '');
});

test('topology: with the node of this server no Pods are watched', (t) => {
  const { options, source, trees } = read('topology node worker-1.example');
  t.deepEqual(trees, ['places']);
  t.is(source.pods, 'disabled');
  t.is(options.nearby?.ownNode, 'worker-1.example');
  t.is(options.nearby?.ownNodeLabel, placeLabel('node', 'worker-1.example'));
});

test('topology: only the mode decides what is kept, so that replicas on other nodes and reloads keep the same', (t) => {
  t.is(read('topology node a').key, read('topology node b').key);
  t.not(read('topology node a').key, read('topology zone a').key);
});

test('ptr: only an order has to be kept, whichever of the two words it is', (t) => {
  t.is(read('ptr all').key, read('').key);
  t.is(read('ptr prefer-hostname').key, read('ptr hostname-only').key);
  t.true(read('ptr hostname-only').source.sortedPointers);
  t.is(read('ptr hostname-only').options.ptr, 'hostname-only');
});

const REFUSED = [
  // body                                       line  code               message
  ['topology zones\npods verified', 3, 'ARGUMENT_VALUE', /expected zone or node, not "zones", did you mean "zone"\?/],
  ['topology\npods verified', 3, 'ARGUMENT_COUNT', /topology: takes 1 to 2 arguments, has 0/],
  ['topology zone a b', 3, 'ARGUMENT_COUNT', /topology: takes 1 to 2 arguments, has 3/],
  ['topology node Worker_1', 3, 'ARGUMENT_VALUE', /topology: expected the name of a node, not "Worker_1"/],
  ['topology node {$CLUSTERDNS_UNSET}', 3, 'ARGUMENT_VALUE', /the name of a node \(is the variable set\?\), not ""/],
  ['topology zone\npods insecure', 5, 'OPTION_CONFLICT', /must know where clients are: add "pods verified", or give/],
  ['topology zone\npods verified\nnoendpoints', 6, 'OPTION_CONFLICT', /"topology" needs endpoints, delete "noendp/],
  ['ttl 5\nptr names', 4, 'ARGUMENT_VALUE', /expected all or prefer-hostname or hostname-only, not "names"/],
  ['ptr prefer-hostnames', 3, 'ARGUMENT_VALUE', /not "prefer-hostnames", did you mean "prefer-hostname"\?/],
  ['ptr', 3, 'ARGUMENT_COUNT', /ptr: takes 1 argument, has 0/],
  ['topologi zone', 3, 'OPTION_UNKNOWN', /unknown option "topologi", did you mean "topology"\?/],
] as const;
for (const [lines, line, code, message] of REFUSED) {
  test(`refused: ${JSON.stringify(lines)}`, (t) => {
    const error = t.throws(() => new BlockRig(`kubernetes cluster.local {\n${lines}\n}`), { instanceOf: ConfigError });
    t.is(error?.code, code);
    t.is(error?.line, line);
    t.regex(error?.message ?? '', message);
  });
}
