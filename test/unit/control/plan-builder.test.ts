// From Corefile text to the plan, with the real parser and small setups.
import test from 'ava';
import { createLogger } from '../../../lib/base/log.ts';
import type { Setup, SetupContext } from '../../../lib/chain/plugin.ts';
import { parseCorefile } from '../../../lib/config/corefile.ts';
import { type Configuration, configure, directiveNames } from '../../../lib/control/configure.ts';
import { describeListeners } from '../../../lib/control/plan-builder.ts';
import { MetricRegistry } from '../../../lib/metrics/registry.ts';

/** Setups that only leave traces: the order of calls, and what each was given. */
function createSetups(calls: string[]): Readonly<Record<string, Setup<unknown>>> {
  const trace = (directives: readonly { readonly owner: string }[], context: SetupContext): string => {
    const text = `${directives[0]!.owner} ${context.zones.join(',')} ${context.servers.join(',')}`;
    calls.push(text);
    return text;
  };
  return {
    bind: ([directive], context) => {
      trace([directive!], context);
      context.listener.bind = [...directive!.values];
    },
    timeouts: ([directive], context) => {
      context.listener.idleTimeoutMs = directive!.parseInteger(directive!.argument());
    },
    debug: (_directives, context) => {
      context.listener.debug = true;
    },
    prometheus: (directives, context) => {
      context.addService({ kind: 'metrics', address: ':9153' });
      return trace(directives, context);
    },
    errors: async (directives, context) => {
      await Promise.resolve();
      return trace(directives, context);
    },
    chaos: (directives, context) => {
      context.listener.anyClass = true;
      return trace(directives, context);
    },
    view: ([directive]) => ({ expressions: directive!.options().map((option) => option.values.join(' ')) }),
    whoami: (directives, context) => trace(directives, context),
    hosts: (_directives, context) => context.addSource({ kind: 'hosts', key: context.root, options: undefined }),
  };
}

async function build(text: string, calls: string[] = []): Promise<Configuration> {
  const setups = createSetups(calls);
  const corefile = parseCorefile(text, { file: 'Corefile', directives: directiveNames(setups), environment: {} });
  const log = createLogger({ sink: () => {} });
  const configuration = await configure(corefile, 7, {
    metrics: new MetricRegistry(),
    log,
    claimTree: () => 5,
    setups,
  });
  return configuration!;
}

const LINES: readonly (readonly [string, string, readonly string[]])[] = [
  ['one zone', '. {\nwhoami\n}', ['.:53']],
  ['zones of one listener sorted', 'b.org a.org {\nwhoami\n}', ['a.org.:53', 'b.org.:53']],
  ['two ports', '.:53 .:54 {\nwhoami\n}', ['.:53', '.:54']],
  ['bound', '. {\nbind 127.0.0.1 ::1\nwhoami\n}', ['.:53 on 127.0.0.1', '.:53 on ::1']],
  ['other transports', 'tls://. https://a.org {\nwhoami\n}', ['tls://.:853', 'https://a.org.:443']],
  ['blocks share a listener', 'a.org {\nwhoami\n}\nb.org {\nwhoami\n}', ['a.org.:53', 'b.org.:53']],
];
for (const [title, text, expected] of LINES)
  test(`describeListeners: ${title}: ${expected.join(' | ')}`, async (t) => {
    t.deepEqual(describeListeners((await build(text)).plan), expected);
  });

test('configure: setups run in chain order over all blocks, whatever the order in the file', async (t) => {
  const calls: string[] = [];
  await build('a.org {\nwhoami\nerrors\nbind 127.0.0.1\n}\nb.org:54 {\nerrors\nbind ::1\n}', calls);
  t.deepEqual(calls, [
    'bind a.org. dns://:53',
    'bind b.org. dns://:54',
    'errors a.org. dns://127.0.0.1:53',
    'errors b.org. dns://[::1]:54',
    'whoami a.org. dns://127.0.0.1:53',
  ]);
});

test('buildPlan: the chain has handlers in order and leaves configuration out', async (t) => {
  const { plan } = await build('. {\nwhoami\ntimeouts 1\nhosts\nerrors\nbind 127.0.0.1\n}');
  t.deepEqual(
    plan.blocks[0]!.chain.map(({ plugin, options }) => [plugin, options]),
    [
      ['errors', 'errors . dns://127.0.0.1:53'],
      ['hosts', 5],
      ['whoami', 'whoami . dns://127.0.0.1:53'],
    ],
  );
  t.is(plan.generation, 7);
});

test('buildPlan: zones of a listener lead to their block and to its label', async (t) => {
  const { plan } = await build('a.org:53 a.org:54 {\nwhoami\n}\nb.org:54 {\nwhoami\n}');
  t.deepEqual(
    plan.blocks.map(({ servers }) => servers),
    [['dns://:53', 'dns://:54'], ['dns://:54']],
  );
  t.deepEqual(
    plan.listeners.map(({ port, zones }) => [port, zones]),
    [
      [53, [{ zone: 'a.org.', blocks: [{ block: 0, server: 0 }] }]],
      [
        54,
        [
          { zone: 'a.org.', blocks: [{ block: 0, server: 1 }] },
          { zone: 'b.org.', blocks: [{ block: 1, server: 0 }] },
        ],
      ],
    ],
  );
});

test('buildPlan: blocks with a view share a zone, in file order', async (t) => {
  const { plan } = await build('. {\nview one {\nexpr true\n}\nwhoami\n}\n. {\nwhoami\n}');
  t.deepEqual(plan.listeners[0]!.zones[0]!.blocks, [
    { block: 0, server: 0 },
    { block: 1, server: 0 },
  ]);
  t.deepEqual(
    plan.blocks.map(({ view, filter }) => [view, filter]),
    [
      ['one', ['true']],
      ['', undefined],
    ],
  );
});

test('buildPlan: settings of a shared listener are merged', async (t) => {
  const { plan } = await build(
    'a.org {\ntimeouts 4000\nchaos\n}\nb.org {\ntimeouts 6000\ndebug\nwhoami\n}\nc.org {\nwhoami\n}',
  );
  const [listener] = plan.listeners;
  t.is(listener!.idleTimeoutMs, 6000);
  t.is(listener!.readTimeoutMs, 3000);
  t.true(listener!.anyClass);
  t.true(plan.debug);
});

test('buildPlan: refused queries are counted only when some block has metrics', async (t) => {
  const without = await build('. {\nwhoami\n}');
  const having = await build('a.org {\nprometheus\n}\n.:54 {\nwhoami\n}');
  t.false('dropped' in without.plan.listeners[0]!);
  t.true(having.plan.listeners.every((listener) => 'dropped' in listener));
});

const REFUSED: readonly (readonly [string, string, RegExp])[] = [
  ['a zone twice', '. {\nwhoami\n}\n. {\nwhoami\n}', /^Corefile:4: cannot serve dns:\/\/\.:53/],
  [
    'bound and not bound',
    '. {\nbind 127.0.0.1\nwhoami\n}\n. {\nwhoami\n}',
    /^Corefile:5: cannot serve .*overlap listener capacity/,
  ],
  [
    'a transport that is not built',
    'quic://. {\nwhoami\n}',
    /^Corefile:1: quic:\/\/: DNS over QUIC is not built, serve tls:/,
  ],
];
for (const [title, text, message] of REFUSED)
  test(`buildPlan: ${title} is refused with its line`, async (t) => {
    const error = await t.throwsAsync(build(text), { name: 'ConfigError' });
    t.regex((error as unknown as { format(): string }).format(), message);
  });
