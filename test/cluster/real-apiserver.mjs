// The part of fake-apiserver.mjs that the conformance runner uses, on the real API server at REAL_API_SERVER: one set of
// objects at a time. Main thread.
import { collectionOf } from './api-server.mjs';

const url = process.env.REAL_API_SERVER;
const COLLECTIONS = [
  '/api/v1/services',
  '/apis/discovery.k8s.io/v1/endpointslices',
  '/api/v1/endpoints',
  '/api/v1/pods',
  '/api/v1/namespaces',
];

async function send(method, resource, object) {
  const response = await fetch(url + resource, {
    method,
    headers: { 'content-type': 'application/json' },
    body: object === undefined ? null : JSON.stringify(object),
  });
  return { status: response.status, body: await response.json() };
}

/** Creates an object or replaces the one of its name. */
async function put(object) {
  const collection = collectionOf(object);
  const created = await send('POST', collection, object);
  if (created.status === 201) return;
  const replaced = await send('PUT', `${collection}/${object.metadata.name}`, object);
  if (replaced.status >= 300)
    throw new Error(`${object.kind} ${object.metadata.name}: ${JSON.stringify(created.body)}`);
}

async function remove(object) {
  await send('DELETE', `${collectionOf(object)}/${object.metadata.name}`);
}

/** A reference {kind, namespace, name} or a manifest as a manifest. */
function identify({ kind, apiVersion, metadata, namespace, name }) {
  const group = kind === 'EndpointSlice' ? 'discovery.k8s.io/v1' : 'v1';
  return { apiVersion: apiVersion ?? group, kind, metadata: metadata ?? { namespace, name } };
}

async function clear() {
  for (const collection of COLLECTIONS) {
    const { items, kind, apiVersion } = (await send('GET', collection)).body;
    for (const { metadata } of items) await remove({ apiVersion, kind: kind.replace(/List$/, ''), metadata });
  }
}

export async function start({ objects }) {
  await clear();
  // Namespaced objects do not need their namespace here, so the order does not matter.
  await Promise.all(objects.map((object) => put({ apiVersion: 'v1', ...object })));
  let queue = Promise.resolve();
  const later = (run) => {
    queue = queue.then(run).catch((error) => process.stderr.write(`${error.message}\n`));
  };
  return {
    url,
    apply: (one) => later(async () => void (await Promise.all([one].flat().map(put)))),
    delete: (one) => later(() => remove(identify(one))),
    stats: () => ({ requests: [], watchers: [], rv: 0 }),
    close: () => queue,
  };
}
