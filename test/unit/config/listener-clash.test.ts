// Which server blocks may stand side by side, judged by zone, listener and view.
import test from 'ava';
import { ConfigError } from '../../../lib/base/errors.ts';
import { checkClashes, groupByListener, type BoundBlock } from '../../../lib/config/listener-clash.ts';
import { parseTestCorefile } from './parse-test-corefile.ts';

/** `bind` addresses and `view` are taken from the directives as they stand. */
function bound(text: string): BoundBlock[] {
  return parseTestCorefile(text).blocks.map((block) => {
    const addresses = block.directives.filter(({ name }) => name === 'bind').flatMap(({ values }) => values);
    const hasView = block.directives.some(({ name }) => name === 'view');
    return { block, addresses: addresses.length === 0 ? [''] : addresses, hasView };
  });
}

const CASES = [
  [
    'one zone twice',
    'a {\n}\nA. {\n}',
    'Corefile:3: cannot serve dns://a.:53 - it is already defined by the block on line 1',
  ],
  [
    'one zone twice in a key list',
    'a a:53 {\n}',
    'Corefile:1: cannot serve dns://a.:53 - it is already defined by this block',
  ],
  [
    'a prefix and its reverse zone',
    '10.0.0.0/8 {\n}\n10.in-addr.arpa {\n}',
    'Corefile:3: cannot serve dns://10.in-addr.arpa.:53 - it is already defined by the block on line 1',
  ],
  ['one zone on two ports and transports', 'a a:54 tls://a:53 {\n}', undefined],
  ['one zone on two addresses', 'a {\nbind ::1\n}\na {\nbind 127.0.0.1\n}', undefined],
  [
    'one zone twice on an address',
    'a {\nbind ::1\n}\na {\nbind ::1\n}',
    'Corefile:4: cannot serve dns://a.:53 on ::1 - it is already defined by the block on line 1',
  ],
  [
    'bound, then on all addresses',
    'a {\nbind ::1\n}\na {\n}',
    'Corefile:4: cannot serve dns://a.:53 - zone overlap listener capacity with dns://a.:53 on ::1: bind both blocks to addresses, or neither',
  ],
  [
    'on all addresses, then bound',
    'a {\n}\na {\nbind ::1\n}',
    'Corefile:3: cannot serve dns://a.:53 on ::1 - zone overlap listener capacity with dns://a.:53: bind both blocks to addresses, or neither',
  ],
  ['a view before the catch-all', 'a {\nview v {\n}\n}\na {\n}', undefined],
  ['a view after the catch-all', 'a {\n}\na {\nview v {\n}\n}', undefined],
  ['two views and no catch-all', 'a {\nview v {\n}\n}\na {\nview w {\n}\n}', undefined],
  [
    'a bound view beside an unbound zone',
    'a {\n}\na {\nbind ::1\nview v {\n}\n}',
    'Corefile:3: cannot serve dns://a.:53 on ::1 - zone overlap listener capacity with dns://a.:53: bind both blocks to addresses, or neither',
  ],
] as const;
for (const [title, text, expected] of CASES)
  test(`${title}: ${expected ?? 'accepted'}`, (t) => {
    if (expected === undefined) {
      t.notThrows(() => checkClashes(bound(text)));
      return;
    }
    const error = t.throws(() => checkClashes(bound(text)), { instanceOf: ConfigError });
    t.is(error.format(), expected);
    t.is(error.code, 'ZONE_DUPLICATE');
  });

test('blocks that name one transport, address and port share a listener', (t) => {
  const groups = groupByListener(bound('a b:54 {\n}\nc tls://d {\n}\n. {\nbind ::1 127.0.0.1\n}'));
  t.deepEqual(
    groups.map(({ scheme, address, port, members }) => [
      `${scheme}://${address}:${port}`,
      ...members.map(({ block, key }) => `${block} ${key.zone}`),
    ]),
    [
      ['dns://:53', '0 a.', '1 c.'],
      ['dns://:54', '0 b.'],
      ['tls://:853', '1 d.'],
      ['dns://::1:53', '2 .'],
      ['dns://127.0.0.1:53', '2 .'],
    ],
  );
});
