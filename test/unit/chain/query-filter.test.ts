import test from 'ava';
import { compileQueryFilter, withMetadata } from '../../../lib/chain/query-filter.ts';
import { Query } from '../../../lib/chain/query.ts';
import { encodeQuery } from '../wire-text.ts';

function ask(name: string): Query {
  const packet = encodeQuery({ name });
  const query = new Query();
  query.parse(packet, 0, packet.length);
  return query;
}

test('withMetadata: conditions see what the plugins of the block know, inside a batch of the store', (t) => {
  let depth = 0;
  const store = { enter: () => void depth++, leave: () => void depth-- };
  const filter = withMetadata(
    compileQueryFilter(["metadata('kubernetes/client-namespace') == 'shop'"]),
    [
      (query, into) => {
        t.is(depth, 1);
        into.set('kubernetes/client-namespace', query.formatName().startsWith('in.') ? 'shop' : 'other');
      },
    ],
    store,
  );
  const inside = ask('in.example.');
  t.true(filter(inside));
  t.is(inside.metadata?.get('kubernetes/client-namespace'), 'shop');
  const outside = ask('out.example.');
  t.false(filter(outside));
  t.is(outside.metadata, undefined);
  t.is(depth, 0);
});
