// autopath in front of a cluster in memory and of an outside with a few names. For its tests.
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
import { makeQuery, namespace, service, TestCluster } from '../kubernetes/cluster-harness.ts';

const OPTIONS: AutopathOptions = { zones: ['.'], search: [], plugin: 'kubernetes', successCells: [0] };

/** Names outside of the cluster; everything else there is NXDOMAIN. */
const OUTSIDE: Readonly<Record<string, number>> = {
  'ext.test.': 1,
  'only6.test.': 6,
  'host.corp.test.': 2,
  'ext.test.corp.test.': 3,
};

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

export type AutopathRig = {
  readonly cluster: TestCluster;
  readonly plain: Handler;
  readonly completed: Handler;
  /** Names that went outside. */
  readonly asked: string[];
  readonly cells: Float64Array;
};

export function rig(
  waits = false,
  options: Partial<AutopathOptions> = {},
  hostSearch: string[] = [],
  isSynced = true,
): AutopathRig {
  const cluster = new TestCluster({ pods: 'verified' }, { hostSearch }, [], ['clients']).apply(
    namespace('a'),
    namespace('b'),
    service('a', 'web', { clusterIP: '10.96.0.1' }),
    service('b', 'web', { clusterIP: '10.96.0.2' }),
    service('a', 'out', { type: 'ExternalName', externalName: 'ext.test' }),
  );
  if (isSynced) cluster.sync();
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

export async function ask(
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
