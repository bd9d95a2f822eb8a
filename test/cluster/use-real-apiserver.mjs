// Preloaded with --import: puts real-apiserver.mjs in the place of the conformance runner's fake API server. Main thread.
import { registerHooks } from 'node:module';

registerHooks({
  resolve(specifier, context, nextResolve) {
    if (!specifier.endsWith('/fake-apiserver.mjs')) return nextResolve(specifier, context);
    return nextResolve(new URL('real-apiserver.mjs', import.meta.url).href, context);
  },
});
