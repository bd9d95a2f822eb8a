// Gives each query a table of values that plugins fill and others show. Worker.
import type { Env, Handler } from '../../chain/plugin.ts';
import type { MetadataOptions } from './setup.ts';

export function createMetadataHandler(_options: MetadataOptions, { next }: Env): Handler {
  return function metadata(query, answer) {
    // One table per query, only where the Corefile asks for it: it has to live as long as the query waits.
    query.metadata = new Map();
    return next(query, answer);
  };
}
