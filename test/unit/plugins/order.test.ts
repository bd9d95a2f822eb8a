// The ordered list of directives: complete, without contradiction, and right where an answer depends on it.
import test from 'ava';
import {
  CONFIG_ONLY,
  EXTERNAL_DIRECTIVES,
  ONCE_PER_BLOCK,
  PLUGIN_ORDER,
  REMOVED_DIRECTIVES,
  type PluginName,
} from '../../../lib/plugins/order.ts';

test('every directive is named once and no removed or external one is among them', (t) => {
  const names = new Set<string>(PLUGIN_ORDER);
  t.is(names.size, PLUGIN_ORDER.length);
  // CoreDNS's, and the one of our own.
  t.is(names.size, 60 + 1);
  t.true(names.has('ip_families'));
  for (const name of [...Object.keys(REMOVED_DIRECTIVES), ...EXTERNAL_DIRECTIVES]) t.false(names.has(name), name);
  for (const name of [...CONFIG_ONLY, ...ONCE_PER_BLOCK]) t.true(names.has(name), name);
});

const BEFORE: readonly (readonly [PluginName, PluginName, string])[] = [
  ['rewrite', 'acl', 'rules see the rewritten name'],
  ['acl', 'cache', 'a blocked client gets no cached answer'],
  ['local', 'ip_families', 'localhost has both addresses everywhere'],
  ['ip_families', 'dns64', 'made-up addresses of an unwanted family are not wanted either'],
  ['loadbalance', 'cache', 'every hit is shuffled again'],
  ['prometheus', 'rewrite', 'the name asked for is counted'],
  ['log', 'rewrite', 'the name asked for is logged'],
  ['cache', 'dnssec', 'signed answers are cached'],
  ['hosts', 'kubernetes', 'a hosts entry wins'],
  ['k8s_external', 'kubernetes', 'external names come first'],
  ['kubernetes', 'file', 'the cluster wins over zone files'],
  ['file', 'forward', 'own zones win over upstreams'],
];
for (const [first, second, why] of BEFORE)
  test(`${first} runs before ${second}: ${why}`, (t) => {
    t.true(PLUGIN_ORDER.indexOf(first) < PLUGIN_ORDER.indexOf(second));
  });
