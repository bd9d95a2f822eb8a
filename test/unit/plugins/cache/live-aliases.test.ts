// An alias into the cluster makes an answer as short-lived as the cluster's own, whichever plugin gave the alias.
import test from 'ava';
import { Answer } from '../../../../lib/chain/answer.ts';
import { Outcome } from '../../../../lib/chain/outcome.ts';
import type { Env, Handler } from '../../../../lib/chain/plugin.ts';
import { makeSubquery } from '../../../../lib/chain/subquery.ts';
import { createEtcdHandler } from '../../../../lib/plugins/etcd/handler.ts';
import { labelsOfKey, parseService } from '../../../../lib/sources/etcd/service.ts';
import { ServiceTree } from '../../../../lib/sources/etcd/service-tree.ts';
import { applyChanges } from '../../../../lib/store/change.ts';
import { createStoreMemory, TREE_STATE } from '../../../../lib/store/layout.ts';
import { StoreReader } from '../../../../lib/store/reader.ts';
import { StoreWriter } from '../../../../lib/store/writer.ts';
import { ZoneRig } from '../../chain/zone-rig.ts';
import { BlockRig } from '../block-rig.ts';

/** Every answer has another address. */
function changing(isLive: boolean): Handler {
  let asked = 0;
  return (_query, answer) => {
    answer.live = isLive;
    answer.authoritative = true;
    answer.addAddresses(60, 4, Uint8Array.of(10, 0, 0, ++asked), 0, 1);
    return Outcome.ANSWERED;
  };
}

async function makeFile(elsewhere: Handler): Promise<Handler> {
  const rig = new ZoneRig(['example.org.'], { elsewhere });
  await rig.publish(
    '@ 60 IN SOA ns admin 1 3600 600 86400 60\n@ 60 IN NS ns.elsewhere.\ndb 60 IN CNAME db.cluster.local.\n',
    'example.org.',
  );
  return rig.handler;
}

function makeEtcd(elsewhere: Handler): Handler {
  const memory = createStoreMemory({ arenaBytes: 2 ** 22, readers: 1 });
  const writer = new StoreWriter(memory);
  const tree = writer.openTree();
  const zones = ['example.org.'];
  const services = new ServiceTree(zones, () => 0);
  const service = parseService(Buffer.from('{"host":"db.cluster.local"}'), '0');
  const key = '/skydns/org/example/db';
  services.set(key, labelsOfKey(key, '/skydns/')!, service!);
  applyChanges(writer, tree, services.takeChanges());
  writer.setState(tree, TREE_STATE.SYNCED);
  const env = {
    next: elsewhere,
    store: new StoreReader(memory, 0),
    resolve: (query: Parameters<Handler>[0], name: Uint8Array, type: number, into: Answer) => {
      const subquery = makeSubquery(query, name, type);
      into.begin(subquery);
      return elsewhere(subquery, into);
    },
  } as unknown as Env;
  return createEtcdHandler({ tree, zones, fallthrough: [] }, env);
}

for (const [plugin, make] of [
  ['file', makeFile],
  ['etcd', makeEtcd],
] as const) {
  test(`${plugin}: an alias into the cluster is followed anew for each query, one that leads elsewhere is cached`, async (t) => {
    for (const [isLive, expected] of [
      [true, '10.0.0.2'],
      [false, '10.0.0.1'],
    ] as const) {
      const rig = new BlockRig('cache 30', { last: await make(changing(isLive)) });
      await rig.ask('db.example.org');
      const { answers } = await rig.ask('db.example.org');
      t.regex(answers.at(-1)!, new RegExp(` A ${expected}$`));
      rig.close();
    }
  });
}
