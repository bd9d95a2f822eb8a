import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'ava';
import { ManualClock } from '../../../../lib/base/clock.ts';
import { ConfigError } from '../../../../lib/base/errors.ts';
import { createLogger } from '../../../../lib/base/log.ts';
import { ALL_SLICE_COLUMNS } from '../../../../lib/sources/kubernetes/objects/endpoint-slice.ts';
import type { ObjectIdentity } from '../../../../lib/sources/kubernetes/objects/metadata.ts';
import {
  createEndpointSliceResource,
  createNamespaceResource,
  createPodResource,
  createServiceResource,
} from '../../../../lib/sources/kubernetes/resource.ts';
import { parseManifestFile } from '../../../../lib/sources/manifests/manifest-file.ts';
import { ManifestSource } from '../../../../lib/sources/manifests/manifest-source.ts';
import { startManifests } from '../../../../lib/sources/manifests/start.ts';

function follow(folder: string) {
  const clock = new ManualClock();
  const logged: string[] = [];
  const told: string[] = [];
  const log = createLogger({ sink: (line) => void logged.push(line.trimEnd()) });
  const source = new ManifestSource(folder, { clock, log });
  const sink = {
    upsert: (object: ObjectIdentity, previous: ObjectIdentity | undefined) =>
      void told.push(`${previous === undefined ? '+' : '~'}${object.key}`),
    remove: (object: ObjectIdentity) => void told.push(`-${object.key}`),
    synced: () => undefined,
    proofOfLife: () => undefined,
  };
  source.follow(createServiceResource(), sink);
  source.follow(createNamespaceResource(), sink);
  source.follow(createEndpointSliceResource(ALL_SLICE_COLUMNS), sink);
  source.follow(createPodResource(false), sink);
  source.start();
  /** Lets the source look at the folder until `isDone`; files are real, so this takes real turns. */
  const until = async (isDone: () => boolean): Promise<void> => {
    for (let turn = 0; !isDone(); turn++) {
      if (turn > 2000) throw new Error(`told ${told.join()}; logged ${logged.join()}`);
      clock.advance(100);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  };
  return { source, logged, told, until };
}

const folders: string[] = [];
function makeFolder(files: Record<string, string> = {}): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'manifests-'));
  folders.push(folder);
  for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(folder, name), text);
  return folder;
}
test.after.always(() => {
  for (const folder of folders) fs.rmSync(folder, { recursive: true });
});

const service = (name: string, ip = '10.96.0.1') =>
  `apiVersion: v1\nkind: Service\nmetadata: { name: ${name}, namespace: shop }\nspec: { clusterIP: ${ip}, ports: [{ port: 80 }] }\n`;

test('documents and Lists of all files are read; other files and kinds are not', async (t) => {
  const folder = makeFolder({
    'a.yaml': `${service('one')}---\n${service('two')}---\n`,
    'b.yml':
      'kind: List\nitems:\n- {apiVersion: v1, kind: Namespace, metadata: {name: shop}}\n- {kind: Deployment, metadata: {name: x}}\n',
    'c.json': '{"kind":"ServiceList","items":[{"metadata":{"name":"three"},"spec":{"clusterIP":"10.96.0.3"}}]}',
    'README.md': service('no'),
    '..2024.yaml': service('no'),
    'pods.yaml': 'kind: Pod\nmetadata: {name: done, namespace: shop}\nstatus: {phase: Succeeded, podIP: 10.0.0.1}\n',
  });
  const { source, told, logged, until } = follow(folder);
  await until(() => source.synced);
  t.deepEqual(told, ['+shop/one', '+shop/two', '+default/three', '+shop']);
  t.deepEqual(logged, []);
  source.stop();
});

test('what an API server would fill in is filled in: type, protocol, namespace', (t) => {
  const { objects } = parseManifestFile(
    'kind: Service\nmetadata: {name: a}\nspec: {clusterIP: 10.0.0.1, ports: [{port: 80}]}\n',
  );
  t.deepEqual(objects[0]?.raw, {
    kind: 'Service',
    metadata: { name: 'a', namespace: 'default' },
    spec: { type: 'ClusterIP', clusterIP: '10.0.0.1', ports: [{ protocol: 'TCP', port: 80 }] },
  });
});

test('a change tells only what changed; a removed file takes its objects along', async (t) => {
  const folder = makeFolder({ 'a.yaml': `${service('one')}---\n${service('two')}`, 'b.yaml': service('three') });
  const { source, told, until } = follow(folder);
  await until(() => source.synced);
  told.length = 0;
  fs.writeFileSync(path.join(folder, 'a.yaml'), `${service('one')}---\n${service('two', '10.96.0.22')}`);
  await until(() => told.length > 0);
  t.deepEqual(told, ['~shop/two']);
  fs.rmSync(path.join(folder, 'b.yaml'));
  await until(() => told.length > 1);
  t.deepEqual(told, ['~shop/two', '-shop/three']);
  source.stop();
});

test('a broken file is reported with document and line and keeps what it said before; the rest is served', async (t) => {
  const folder = makeFolder({ 'a.yaml': service('one'), 'b.yaml': service('two') });
  const { source, told, logged, until } = follow(folder);
  await until(() => source.synced);
  fs.writeFileSync(path.join(folder, 'a.yaml'), `${service('other')}---\nkind: [\n`);
  fs.writeFileSync(path.join(folder, 'b.yaml'), service('three'));
  await until(() => told.includes('-shop/two'));
  t.deepEqual(told, ['+shop/one', '+shop/two', '+shop/three', '-shop/two']);
  t.true(
    logged.some((line) => /a\.yaml: document 2, line \d+: /.test(line)),
    logged.join('\n'),
  );
  fs.writeFileSync(path.join(folder, 'a.yaml'), service('fixed'));
  await until(() => told.includes('+shop/fixed'));
  t.true(told.includes('-shop/one'));
  source.stop();
});

test('a bad field is reported with file, document, object and field; its object and the others are served', async (t) => {
  const folder = makeFolder({
    'a.yaml': `${service('one')}---\n${service('odd', '10.96.0.300')}---\njust text\n---\nmetadata: {name: x}\n`,
  });
  const { source, told, logged, until } = follow(folder);
  await until(() => source.synced);
  t.deepEqual(told, ['+shop/one', '+shop/odd']);
  const file = path.join(folder, 'a.yaml');
  t.deepEqual(logged, [
    `[WARNING] ${file}: document 3, line 11: kind: missing, this is not a Kubernetes object`,
    `[WARNING] ${file}: document 4, line 13: kind: missing, this is not a Kubernetes object`,
    `[WARNING] ${file}: document 2: Service shop/odd: spec.clusterIP[0]: not an IP address: "10.96.0.300"; skipped`,
  ]);
  source.stop();
});

test('a ConfigMap mount: the swap of its symbolic link is a change', async (t) => {
  const folder = makeFolder();
  for (const [version, name] of [
    ['..v1', 'one'],
    ['..v2', 'two'],
  ] as const) {
    fs.mkdirSync(path.join(folder, version));
    fs.writeFileSync(path.join(folder, version, 'a.yaml'), service(name));
  }
  fs.symlinkSync('..v1', path.join(folder, '..data'));
  fs.symlinkSync('..data/a.yaml', path.join(folder, 'a.yaml'));
  const { source, told, until } = follow(folder);
  await until(() => source.synced);
  fs.symlinkSync('..v2', path.join(folder, '..data_tmp'));
  fs.renameSync(path.join(folder, '..data_tmp'), path.join(folder, '..data'));
  await until(() => told.includes('-shop/one'));
  t.deepEqual(told, ['+shop/one', '+shop/two', '-shop/one']);
  source.stop();
});

test('a folder that goes away keeps its objects, with one log line', async (t) => {
  const folder = makeFolder({ 'a.yaml': service('one') });
  const { source, told, logged, until } = follow(folder);
  await until(() => source.synced);
  const aside = `${folder}-aside`;
  fs.renameSync(folder, aside);
  await until(() => logged.length > 0);
  fs.renameSync(aside, folder);
  fs.writeFileSync(path.join(folder, 'b.yaml'), service('two'));
  await until(() => told.includes('+shop/two'));
  t.deepEqual(told, ['+shop/one', '+shop/two']);
  t.is(logged.length, 1);
  source.stop();
});

test('a folder that is missing at the start is an error FILE', (t) => {
  const env = { clock: new ManualClock(), log: createLogger({ sink: () => undefined }) };
  const open = () =>
    startManifests(
      '/nonexistent',
      { endpoints: true, pods: 'disabled', zonal: false, podLabels: false, trees: {} },
      {} as never,
      env,
    );
  t.throws(open, { instanceOf: ConfigError, code: 'FILE', message: /manifests \/nonexistent/ });
});

test('YAML aliases that would explode are a problem of their document alone', (t) => {
  const levels = Array.from({ length: 12 }, (_, level) =>
    level === 0 ? 'a0: &a0 [x, x, x, x, x, x, x, x, x, x]' : `a${level}: &a${level} [${`*a${level - 1}, `.repeat(10)}]`,
  );
  const { objects, problems } = parseManifestFile(`${levels.join('\n')}\n---\n${service('one')}`);
  t.is(objects.length, 1);
  t.is(problems.length, 1);
});

test('the demo cluster has no problem and what the README shows', async (t) => {
  const { source, told, logged, until } = follow(path.join(import.meta.dirname, '../../../../zones/demo'));
  await until(() => source.synced);
  t.deepEqual(logged, []);
  for (const key of [
    'shop/web',
    'shop/db',
    'shop/payments',
    'shop/store',
    'shop/admin',
    'shop/legacy',
    'shop/workers',
    'kube-system/kube-dns',
    'default/kubernetes',
  ])
    t.true(told.includes(`+${key}`), key);
  source.stop();
});
