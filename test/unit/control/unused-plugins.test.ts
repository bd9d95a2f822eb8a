// A plugin that is not in the Corefile costs nothing: no link in the chain, no handler made, no series, no source, no service.
import test from 'ava';
import { ManualClock } from '../../../lib/base/clock.ts';
import { createLogger } from '../../../lib/base/log.ts';
import { compileChain } from '../../../lib/chain/compile.ts';
import { Outcome } from '../../../lib/chain/outcome.ts';
import type { HandlerFactory, SourceSpec } from '../../../lib/chain/plugin.ts';
import { parseCorefile } from '../../../lib/config/corefile.ts';
import { configure, directiveNames } from '../../../lib/control/configure.ts';
import { MetricRegistry } from '../../../lib/metrics/registry.ts';
import { HANDLERS } from '../../../lib/plugins/handlers.ts';
import { PLUGIN_ORDER } from '../../../lib/plugins/order.ts';

type Built = {
  /** Plugins in the chain, in order. */
  readonly chain: readonly string[];
  /** Handlers made for one worker, in order of the chain. */
  readonly made: readonly string[];
  readonly families: readonly string[];
  readonly sources: readonly string[];
  readonly services: readonly string[];
};

async function build(text: string): Promise<Built> {
  const metrics = new MetricRegistry();
  const before = new Set(metrics.families.keys());
  const sources: SourceSpec[] = [];
  const corefile = parseCorefile(text, { file: 'Corefile', directives: directiveNames(), environment: {} });
  const log = createLogger({ sink: () => {} });
  const claimTree = (source: SourceSpec): number => sources.push(source);
  const { plan, services } = (await configure(corefile, 1, { metrics, log, claimTree }))!;
  const [block] = plan.blocks;
  const made: string[] = [];
  const factories = Object.fromEntries(
    Object.keys(HANDLERS).map((name): [string, HandlerFactory<never>] => [
      name,
      () => {
        made.unshift(name);
        return () => Outcome.DROPPED;
      },
    ]),
  );
  compileChain(block!, factories, { clock: new ManualClock(), logFor: () => log } as never);
  return {
    chain: block!.chain.map(({ plugin }) => plugin),
    made,
    families: [...metrics.families.keys()].filter((name) => !before.has(name)),
    sources: sources.map(({ kind }) => kind),
    services: services.map(({ kind }) => kind),
  };
}

test('unused plugins: a block with whoami alone has one handler and nothing else', async (t) => {
  t.deepEqual(await build('.:1053 {\n whoami\n}'), { chain: ['whoami'], made: ['whoami'], families: [], sources: [], services: [] }); // biome-ignore format: short
});

test("unused plugins: kubeadm's Corefile has the handlers of its directives alone, in order", async (t) => {
  const { chain, made, families, sources, services } = await build(`.:1053 {
    errors
    health
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       endpoint http://127.0.0.1:1
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
    }
    prometheus :9153
    forward . 127.0.0.1:2
    cache 30
    loop
    reload
    loadbalance
}`);
  const wanted = ['prometheus', 'errors', 'loadbalance', 'cache', 'kubernetes', 'loop', 'forward'];
  t.deepEqual(chain, wanted);
  t.deepEqual(made, wanted);
  t.deepEqual([...new Set(sources)], ['kubernetes']);
  const known = new Set(['health', 'loop', 'metrics', 'ready', 'reload', 'upstreams']);
  t.deepEqual(
    services.filter((kind) => !known.has(kind)),
    [],
  );
  const others = PLUGIN_ORDER.filter(
    (name) => !wanted.includes(name) && !['health', 'reload', 'ready', 'any', 'local'].includes(name),
  );
  const foreign = families.filter((family) => others.some((name) => family.includes(`_${name}_`)));
  t.deepEqual(foreign, []);
});
