// Which server block takes a query: the longest zone, and of several blocks the first whose conditions hold.
import test from 'ava';
import { Outcome } from '../../../lib/chain/outcome.ts';
import type { Handler } from '../../../lib/chain/plugin.ts';
import { compileQueryFilter } from '../../../lib/chain/query-filter.ts';
import { Query } from '../../../lib/chain/query.ts';
import { Router } from '../../../lib/chain/router.ts';
import type { ListenerPlan } from '../../../lib/link/plan.ts';
import { parseName } from '../../../lib/wire/name.ts';
import { parseType } from '../../../lib/wire/types.ts';

type Block = { readonly zones: readonly string[]; readonly expressions?: readonly string[] };

function makeRouter(blocks: readonly Block[]): Router {
  const zones = [...new Set(blocks.flatMap((block) => block.zones))];
  const listener = {
    zones: zones.map((zone) => ({
      zone,
      blocks: blocks.flatMap((block, index) => (block.zones.includes(zone) ? [{ block: index, server: 0 }] : [])),
    })),
  } as unknown as ListenerPlan;
  const handlers = blocks.map((): Handler => () => Outcome.ANSWERED);
  const filters = blocks.map(({ expressions }) => expressions && compileQueryFilter(expressions));
  return new Router(
    listener,
    handlers,
    blocks.map((block) => block.zones),
    filters,
  );
}

function route(router: Router, name: string, type = 'A', client = [127, 0, 0, 1]): string {
  const query = new Query();
  query.setName(parseName(name)!);
  query.qtype = parseType(type)!;
  query.clientAddress.set(client);
  if (router.route(query) === undefined) return 'none';
  return `block ${query.block} zone ${query.zone}`;
}

const PLAIN: readonly Block[] = [{ zones: ['.'] }, { zones: ['org.', 'example.org.'] }, { zones: ['a.example.org.'] }];
const SPLIT: readonly Block[] = [
  { zones: ['example.org.'], expressions: ["incidr(client_ip(), '10.0.0.0/8')"] },
  { zones: ['example.org.'], expressions: ["type() == 'TXT'", "name() startsWith 't.'"] },
  { zones: ['org.'], expressions: ["type() in ['A', 'DS']"] },
  { zones: ['.'], expressions: ["type() != 'MX'"] },
];

const CASES: readonly (readonly [
  what: string,
  blocks: readonly Block[],
  name: string,
  type: string,
  client: number[],
  expected: string,
])[] = [
  ['the longest zone', PLAIN, 'x.a.example.org.', 'A', [127, 0, 0, 1], 'block 2 zone 0'],
  ['the second zone of a block', PLAIN, 'x.example.org.', 'A', [127, 0, 0, 1], 'block 1 zone 1'],
  ['the root', PLAIN, 'net.', 'A', [127, 0, 0, 1], 'block 0 zone 0'],
  ['DS: the shortest zone but the root', PLAIN, 'a.example.org.', 'DS', [127, 0, 0, 1], 'block 1 zone 0'],
  ['no zone', [{ zones: ['org.'] }], 'net.', 'A', [127, 0, 0, 1], 'none'],
  ['the first view that holds', SPLIT, 'x.example.org.', 'TXT', [10, 1, 1, 1], 'block 0 zone 0'],
  ['all conditions of a view', SPLIT, 't.example.org.', 'TXT', [127, 0, 0, 1], 'block 1 zone 0'],
  ['no view holds: a shorter zone', SPLIT, 'x.example.org.', 'A', [127, 0, 0, 1], 'block 2 zone 0'],
  ['no view holds there either: the root', SPLIT, 'x.example.org.', 'TXT', [127, 0, 0, 1], 'block 3 zone 0'],
  ['no view holds at all', SPLIT, 'x.example.org.', 'MX', [127, 0, 0, 1], 'none'],
  ['DS: the shortest zone whose view holds', SPLIT, 'example.org.', 'DS', [10, 1, 1, 1], 'block 2 zone 0'],
  [
    'a block without a view in front shadows those behind',
    [{ zones: ['.'] }, { zones: ['.'], expressions: ['true'] }],
    'x.org.',
    'A',
    [127, 0, 0, 1],
    'block 0 zone 0',
  ],
  [
    'a condition that fails, or is no bool, does not hold',
    [
      { zones: ['.'], expressions: ["incidr('x', '10.0.0.0/8')"] },
      { zones: ['.'], expressions: ['1'] },
      { zones: ['.'] },
    ],
    'x.org.',
    'A',
    [127, 0, 0, 1],
    'block 2 zone 0',
  ],
];
for (const [what, blocks, name, type, client, expected] of CASES) {
  test(`router: ${what}: ${name} ${type} from ${client.join('.')} goes to ${expected}`, (t) => {
    t.is(route(makeRouter(blocks), name, type, client), expected);
  });
}
