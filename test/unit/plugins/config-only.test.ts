// Directives without a handler: what they leave in the listener's settings and in the list of services.
import test from 'ava';
import { ConfigError, type ErrorCode } from '../../../lib/base/errors.ts';
import type { Service } from '../../../lib/chain/plugin.ts';
import { setupBind } from '../../../lib/plugins/bind/setup.ts';
import { parseTestCorefile } from '../config/parse-test-corefile.ts';
import { BlockRig } from './block-rig.ts';

const SERVICES: readonly (readonly [body: string, services: readonly Service[]])[] = [
  ['health', [{ kind: 'health', address: ':8080', lameduckMs: 0 }]],
  ['health {\nlameduck 5s\n}', [{ kind: 'health', address: ':8080', lameduckMs: 5000 }]],
  ['health 127.0.0.1:8091', [{ kind: 'health', address: '127.0.0.1:8091', lameduckMs: 0 }]],
  ['health {\nlameduck -5s\n}', [{ kind: 'health', address: ':8080', lameduckMs: 0 }]],
  ['health\nhealth :8081', [{ kind: 'health', address: ':8081', lameduckMs: 0 }]],
  ['ready', [{ kind: 'ready', address: ':8181', mode: 'until-ready' }]],
  ['ready [::1]:81 {\nmonitor continuously\n}', [{ kind: 'ready', address: '[::1]:81', mode: 'continuously' }]],
  ['reload', [{ kind: 'reload', intervalMs: 30_000, jitterMs: 15_000 }]],
  ['reload 10s 9s', [{ kind: 'reload', intervalMs: 10_000, jitterMs: 5000 }]],
  ['reload 2s 0', [{ kind: 'reload', intervalMs: 2000, jitterMs: 0 }]],
  ['prometheus', [{ kind: 'metrics', address: 'localhost:9153' }]],
  ['prometheus :9253 {\nruntime_metrics\n}', [{ kind: 'metrics', address: ':9253' }]],
];
for (const [body, services] of SERVICES) {
  test(`service: ${JSON.stringify(body)}`, (t) => {
    t.deepEqual(new BlockRig(body).services, services);
  });
}

test('timeouts: seconds without a unit, times with one', (t) => {
  const { listener } = new BlockRig('timeouts {\nread 15\nwrite 2m\nidle 24h\nmaxtcpqueries 7\n}').context;
  const { readTimeoutMs, writeTimeoutMs, idleTimeoutMs, maxQueriesPerConnection } = listener;
  t.deepEqual(
    [readTimeoutMs, writeTimeoutMs, idleTimeoutMs, maxQueriesPerConnection],
    [15_000, 120_000, 86_400_000, 7],
  );
});

test('multisocket: the number given, else one per worker', (t) => {
  t.is(new BlockRig('multisocket 4').context.listener.sockets, 4);
  t.is(new BlockRig('multisocket').context.listener.sockets, 0);
});

test('debug and root set what later setups see', (t) => {
  const rig = new BlockRig('debug\nroot /nosuch/folder');
  t.true(rig.context.listener.debug);
  t.is(rig.context.root, '/nosuch/folder');
  t.deepEqual(rig.warnings, ['plugin/root: folder does not exist: /nosuch/folder']);
});

test('bind: addresses add up, an interface stands for its addresses, except takes away', (t) => {
  const rig = new BlockRig('whoami');
  const { directives } = parseTestCorefile('.:1053 {\nbind 127.0.0.1 eth7 {\nexcept 10.0.0.2\n}\nbind ::1\n}\n')
    .blocks[0]!;
  const base = { netmask: '', mac: '', internal: false, cidr: null };
  setupBind(directives, rig.context, () => ({
    eth7: [
      { ...base, address: '10.0.0.2', family: 'IPv4' },
      { ...base, address: '10.0.0.3', family: 'IPv4' },
      { ...base, address: 'fe80::1', family: 'IPv6', scopeid: 3 },
    ],
  }));
  t.deepEqual(rig.context.listener.bind, ['127.0.0.1', '10.0.0.3', 'fe80::1%eth7', '::1']);
});

const REFUSED: readonly (readonly [body: string, code: ErrorCode, message: string, line?: number])[] = [
  [
    'health localhost',
    'ARGUMENT_VALUE',
    'health: expected an address with a port (:8080, 127.0.0.1:8080), not "localhost"',
  ],
  [
    'health {\nlameduck 5\n}',
    'ARGUMENT_VALUE',
    'health: lameduck: expected a duration with a unit (300ms, 30s, 1h30m), not "5"',
    3,
  ],
  ['health {\nlamduck 5s\n}', 'OPTION_UNKNOWN', 'health: unknown option "lamduck", did you mean "lameduck"?', 3],
  ['ready :8181 :8182', 'ARGUMENT_COUNT', 'ready: takes 0 to 1 argument, has 2'],
  ['ready\nready', 'DIRECTIVE_REPEATED', 'ready: can stand once in a server block, the first one is in line 2', 3],
  ['reload 1s', 'ARGUMENT_VALUE', 'reload: expected a duration of at least 2s, not "1s"'],
  ['reload 30', 'ARGUMENT_VALUE', 'reload: expected a duration with a unit (300ms, 30s, 1h30m), not "30"'],
  ['reload 10s 500ms', 'ARGUMENT_VALUE', 'reload: expected a jitter of 0 or at least 1s, not "500ms"'],
  [
    'prometheus 9153',
    'ARGUMENT_VALUE',
    'prometheus: expected an address with a port (:9153, 127.0.0.1:9153), not "9153"',
  ],
  [
    'prometheus :1\nprometheus :2',
    'DIRECTIVE_REPEATED',
    'prometheus: can stand once in a server block, the first one is in line 2',
    3,
  ],
  ['bind', 'ARGUMENT_COUNT', 'bind: takes at least 1 argument, has 0'],
  ['bind nosuch0', 'ADDRESS', 'bind: neither an IP address nor a network interface: "nosuch0"'],
  ['root', 'ARGUMENT_COUNT', 'root: takes 1 argument, has 0'],
  ['debug on', 'ARGUMENT_COUNT', 'debug: takes no arguments, has 1'],
  ['timeouts {\n}', 'ARGUMENT_COUNT', 'timeouts: no timeout is given, set read, write or idle'],
  [
    'timeouts {\nread 500ms\n}',
    'ARGUMENT_VALUE',
    'timeouts: read: expected a duration from 1s to 86400s, not "500ms"',
    3,
  ],
  [
    'timeouts {\nmaxtcpqueries 0\n}',
    'ARGUMENT_VALUE',
    'timeouts: maxtcpqueries: expected a count of at least 1, or -1 for no limit, not "0"',
    3,
  ],
  ['multisocket 0', 'ARGUMENT_VALUE', 'multisocket: expected an integer from 1 to 1024, not "0"'],
  ['multisocket 1 2', 'ARGUMENT_COUNT', 'multisocket: takes 0 to 1 argument, has 2'],
  ['loop .', 'ARGUMENT_VALUE', 'loop: expected exit, not "."'],
];
for (const [body, code, message, line = 2] of REFUSED) {
  test(`refused: ${JSON.stringify(body)}`, (t) => {
    const error = t.throws(() => new BlockRig(body), { instanceOf: ConfigError });
    t.deepEqual([error?.code, error?.message, error?.line], [code, message, line]);
  });
}
