// Gives each query a table of values that plugins fill and others show. Worker.
import type { Env, Handler } from '../../chain/plugin.ts';
import { ZoneTable } from '../../chain/zone-table.ts';
import type { MetadataOptions } from './setup.ts';

export function createMetadataHandler(options: MetadataOptions, { next, offers, store }: Env): Handler {
  const zones = new ZoneTable(options.zones);
  const providers = offers.metadata;
  return function metadata(query, answer) {
    // One table per query, only where the Corefile asks for it: it has to live as long as the query waits.
    const values = new Map<string, string>();
    query.metadata = values;
    if (providers.length > 0 && zones.match(query) !== -1) {
      store.enter();
      try {
        for (const provide of providers) provide(query, values);
      } finally {
        store.leave();
      }
    }
    return next(query, answer);
  };
}
