// One reply in place of a client's walk along its search path, and only where the path is known for certain.
import test from 'ava';
import * as fc from 'fast-check';
import { Answer } from '../../../../lib/chain/answer.ts';
import { finish } from '../../../../lib/chain/finish.ts';
import { isWaiting, Outcome } from '../../../../lib/chain/outcome.ts';
import type { Env, Handler } from '../../../../lib/chain/plugin.ts';
import type { Query } from '../../../../lib/chain/query.ts';
import { createAutopathHandler } from '../../../../lib/plugins/autopath/handler.ts';
import type { AutopathOptions } from '../../../../lib/plugins/autopath/setup.ts';
import { SECTION } from '../../../../lib/wire/record-index.ts';
import { RCODE, RRTYPE } from '../../../../lib/wire/types.ts';
import { decodeMessage } from '../../wire-text.ts';
import { makeQuery, namespace, pod, type RawObject, service, TestCluster } from '../kubernetes/cluster-harness.ts';

const OPTIONS: AutopathOptions = { zones: ['.'], search: [], plugin: 'kubernetes', successCells: [0] };

/** Names outside of the cluster; everything else there is NXDOMAIN. */
const OUTSIDE: Readonly<Record<string, number>> = { 'ext.test.': 1, 'only6.test.': 6, 'host.corp.test.': 2 };

/** Stands for forward: answers at once, or after a turn of the event loop. */
function forward(waits: boolean, asked: string[] = []): Handler {
  return (query, answer) => {
    const name = query.formatName();
    asked.push(name);
    const serve = (): Outcome => {
      answer.recursionAvailable = true;
      if (name === 'broken.test.') {
        answer.fail(RCODE.SERVFAIL, 'no upstream');
        return Outcome.FAILED;
      }
      const last = OUTSIDE[name];
      if (last === undefined) answer.rcode = RCODE.NXDOMAIN;
      else if (last !== 6 && query.qtype === RRTYPE.A) {
        answer.beginRecordAt(SECTION.ANSWER, 12, RRTYPE.A, 60);
        answer.putBytes(Uint8Array.of(198, 51, 100, last), 0, 4);
        answer.endRecord();
      }
      return Outcome.ANSWERED;
    };
    return waits ? new Promise<void>((resolve) => void setImmediate(resolve)).then(serve) : serve();
  };
}

function rig(waits = false, options: Partial<AutopathOptions> = {}, hostSearch: string[] = []) {
  const cluster = new TestCluster({ pods: 'verified' }, { hostSearch }, [], ['clients']).apply(
    namespace('a'),
    namespace('b'),
    service('a', 'web', { clusterIP: '10.96.0.1' }),
    service('b', 'web', { clusterIP: '10.96.0.2' }),
    service('a', 'out', { type: 'ExternalName', externalName: 'ext.test' }),
  );
  cluster.sync();
  const asked: string[] = [];
  const outside = forward(waits, asked);
  const chain: Handler = (query, answer) => {
    if (query.formatName().endsWith('cluster.local.')) return cluster.handler(query, answer);
    return outside(query, answer);
  };
  const cells = new Float64Array(1);
  const env = { ...cluster.env, next: chain, cells } as Env;
  return { cluster, plain: chain, completed: createAutopathHandler({ ...OPTIONS, ...options }, env), asked, cells };
}

async function ask(
  handler: Handler,
  name: string,
  from: string,
  type = 'A',
): Promise<{ rcode: string; answer: string[] }> {
  const query: Query = makeQuery(name, type, from);
  const answer = new Answer();
  answer.begin(query);
  const result = handler(query, answer);
  if (isWaiting(result)) await result;
  const length = finish(query, answer);
  const message = decodeMessage(answer.bytes.slice(answer.base, answer.base + length));
  return { rcode: message.rcode, answer: [...message.answer] };
}

for (const waits of [false, true]) {
  const when = waits ? 'later' : 'at once';

  test(`autopath: a name outside is answered behind an alias to it (${when})`, async (t) => {
    const { cluster, completed, asked, cells } = rig(waits);
    cluster.apply(pod('a', 'p', '10.1.0.1'));
    t.deepEqual(await ask(completed, 'Ext.test.a.svc.cluster.local', '10.1.0.1'), {
      rcode: 'NOERROR',
      answer: ['Ext.test.a.svc.cluster.local. 60 IN CNAME Ext.test.', 'Ext.test. 60 IN A 198.51.100.1'],
    });
    t.deepEqual(asked, ['ext.test.']);
    t.is(cells[0], 1);
  });

  test(`autopath: what is found first stands as it is, ExternalNames too (${when})`, async (t) => {
    const { cluster, completed } = rig(waits);
    cluster.apply(pod('a', 'p', '10.1.0.1'));
    t.deepEqual((await ask(completed, 'web.a.svc.cluster.local', '10.1.0.1')).answer, [
      'web.a.svc.cluster.local. 5 IN A 10.96.0.1',
    ]);
    t.deepEqual((await ask(completed, 'out.a.svc.cluster.local', '10.1.0.1', 'CNAME')).answer, [
      'out.a.svc.cluster.local. 5 IN CNAME ext.test.',
    ]);
  });

  test(`autopath: nothing found is the first denial, a failure is that failure, no records end the search (${when})`, async (t) => {
    const { cluster, completed, cells } = rig(waits);
    cluster.apply(pod('a', 'p', '10.1.0.1'));
    t.is((await ask(completed, 'nope.a.svc.cluster.local', '10.1.0.1')).rcode, 'NXDOMAIN');
    t.is((await ask(completed, 'broken.test.a.svc.cluster.local', '10.1.0.1')).rcode, 'SERVFAIL');
    t.is(cells[0], 0);
    t.deepEqual(await ask(completed, 'only6.test.a.svc.cluster.local', '10.1.0.1'), { rcode: 'NOERROR', answer: [] });
  });
}

test("autopath: this machine's search domains come after the cluster's", async (t) => {
  const { cluster, completed, asked } = rig(false, {}, ['corp.test.']);
  cluster.apply(pod('a', 'p', '10.1.0.1'));
  t.deepEqual((await ask(completed, 'host.a.svc.cluster.local', '10.1.0.1')).answer, [
    'host.a.svc.cluster.local. 60 IN CNAME host.corp.test.',
    'host.corp.test. 60 IN A 198.51.100.2',
  ]);
  t.deepEqual(asked, ['host.corp.test.']);
});

const withSpec = (raw: RawObject, spec: Record<string, unknown>): RawObject => ({ ...raw, spec });
const UNSAFE: readonly (readonly [string, RawObject[]])[] = [
  ['an unknown client', []],
  ['two Pods at the address', [pod('a', 'p', '10.1.0.1'), pod('b', 'q', '10.1.0.1')]],
  ['a DNS policy of its own', [withSpec(pod('a', 'p', '10.1.0.1'), { dnsPolicy: 'None' })]],
  ['the host’s network', [withSpec(pod('a', 'p', '10.1.0.1'), { dnsPolicy: 'ClusterFirst', hostNetwork: true })]],
  [
    'a DNS configuration of its own',
    [withSpec(pod('a', 'p', '10.1.0.1'), { dnsConfig: { options: [{ name: 'ndots', value: '1' }] } })],
  ],
];
for (const [what, pods] of UNSAFE) {
  test(`autopath: ${what} gets the plain answer`, async (t) => {
    const { cluster, completed, asked } = rig();
    cluster.apply(...pods);
    t.is((await ask(completed, 'ext.test.a.svc.cluster.local', '10.1.0.1')).rcode, 'NXDOMAIN');
    t.deepEqual(asked, []);
  });
}

test('autopath: on the host’s network with ClusterFirstWithHostNet the path is known', async (t) => {
  const { cluster, completed } = rig();
  cluster.apply(withSpec(pod('a', 'p', '10.1.0.1'), { dnsPolicy: 'ClusterFirstWithHostNet', hostNetwork: true }));
  t.is((await ask(completed, 'ext.test.a.svc.cluster.local', '10.1.0.1')).rcode, 'NOERROR');
});

test('autopath: a search list from a file counts for every client, for names below its first domain', async (t) => {
  const { completed, asked } = rig(false, { plugin: '', search: ['example.test.', 'corp.test.'] });
  t.is((await ask(completed, 'host.example.test', '192.0.2.1')).answer.length, 2);
  t.deepEqual(asked.splice(0), ['host.example.test.', 'host.corp.test.']);
  for (const name of ['nope.corp.test', 'example.test']) {
    t.is((await ask(completed, name, '192.0.2.1')).rcode, 'NXDOMAIN');
    t.is(asked.splice(0).length, 1);
  }
});

/** What a resolver with ndots:5 comes to: response code and addresses. */
async function walk(handler: Handler, name: string, namespaceName: string, from: string): Promise<string> {
  for (const domain of [`.${namespaceName}.svc.cluster.local`, '.svc.cluster.local', '.cluster.local', '']) {
    const { rcode, answer } = await ask(handler, name + domain, from);
    if (rcode !== 'NXDOMAIN')
      return `${rcode} ${answer
        .filter((line) => line.includes(' A '))
        .map((line) => line.split(' A ')[1])
        .join()}`;
  }
  return 'NXDOMAIN';
}

const ADDRESSES = ['10.1.0.1', '10.1.0.2'] as const;
const NAMES = [
  'web',
  'web.a',
  'web.b',
  'web.b.svc',
  'out',
  'nope',
  'nope.a',
  'ext.test',
  'only6.test',
  'broken.test',
  'web.b.svc.cluster.local',
];
const anyEvent = fc.record({
  gone: fc.boolean(),
  pod: fc.record({
    namespace: fc.constantFrom('a', 'b'),
    name: fc.constantFrom('p', 'q', 'r'),
    address: fc.constantFrom(...ADDRESSES),
  }),
});

test('autopath: over replicas that lag behind Pods coming and going, the result is that of the client’s own walk', async (t) => {
  const property = fc.asyncProperty(
    fc.array(anyEvent, { maxLength: 12 }),
    fc.array(fc.nat(12), { minLength: 3, maxLength: 3 }),
    fc.constantFrom('a', 'b'),
    fc.constantFrom(...ADDRESSES),
    async (events, lags, home, address) => {
      for (const lag of lags) {
        const { cluster, plain, completed } = rig();
        for (const { gone, pod: it } of events.slice(0, Math.max(0, events.length - lag))) {
          const raw = pod(it.namespace, it.name, it.address);
          if (gone) cluster.delete(raw);
          else cluster.apply(raw);
        }
        for (const name of NAMES)
          t.is(await walk(completed, name, home, address), await walk(plain, name, home, address), name);
      }
    },
  );
  await fc.assert(property, { numRuns: 25 });
});
