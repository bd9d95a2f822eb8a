// What deploy/ promises: the objects are kubeadm's, the image starts what bin/launch.sh starts, versions agree.
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { parse, parseAllDocuments } from 'yaml';
import { PACKAGE_DIR, readPackageFile } from './source-files.ts';

const run = promisify(execFile);
const KUBEADM = 'deploy/kustomize/kubeadm';
const SPREAD = 'deploy/kustomize/spread';
const VERSION: string = JSON.parse(readPackageFile('package.json')!).version;

type Manifest = { readonly kind: string; readonly metadata: Record<string, unknown>; readonly [key: string]: unknown };

/** The objects of the files that a kustomization names as resources. */
function readObjects(folder: string): Manifest[] {
  const { resources } = parse(readPackageFile(`${folder}/kustomization.yaml`)!) as { resources: string[] };
  return resources.filter((name) => name.endsWith('.yaml')).flatMap((name) => readDocuments(`${folder}/${name}`));
}

function readDocuments(file: string): Manifest[] {
  return parseAllDocuments(readPackageFile(file)!).map((document) => {
    if (document.errors.length + document.warnings.length > 0) throw new Error(`${file}: ${document.errors[0]}`);
    return document.toJS() as Manifest;
  });
}

function find(kind: string): Manifest {
  return readObjects(KUBEADM).find((object) => object.kind === kind)!;
}

const deployment = find('Deployment') as unknown as {
  readonly metadata: unknown;
  readonly spec: {
    readonly replicas: number;
    readonly strategy: unknown;
    readonly selector: unknown;
    readonly template: { readonly metadata: unknown; readonly spec: Record<string, unknown> };
  };
};
const [container] = deployment.spec.template.spec.containers as [Record<string, unknown>];

for (const folder of [KUBEADM, SPREAD]) {
  test(`deploy: every file of ${folder} is well-formed and named by its kustomization`, (t) => {
    const kustomization = readPackageFile(`${folder}/kustomization.yaml`)!;
    const others = fs.readdirSync(path.join(PACKAGE_DIR, folder)).filter((name) => name !== 'kustomization.yaml');
    t.true(others.length > 0);
    for (const name of others) {
      t.true(kustomization.includes(name), name);
      for (const { kind, metadata } of readDocuments(`${folder}/${name}`)) t.truthy(kind && metadata.name, name);
    }
  });
}

test('deploy: objects have the kinds, names and namespace of kubeadm', (t) => {
  t.deepEqual(
    readObjects(KUBEADM).map(({ kind, metadata }) => [kind, metadata.namespace, metadata.name]),
    [
      ['ServiceAccount', 'kube-system', 'coredns'],
      ['ClusterRole', undefined, 'system:coredns'],
      ['ClusterRoleBinding', undefined, 'system:coredns'],
      ['ConfigMap', 'kube-system', 'coredns'],
      ['Service', 'kube-system', 'kube-dns'],
      ['Deployment', 'kube-system', 'coredns'],
    ],
  );
});

test('deploy: the ClusterRole grants list and watch of five resources and nothing else', (t) => {
  t.deepEqual(find('ClusterRole').rules, [
    { apiGroups: [''], resources: ['endpoints', 'services', 'pods', 'namespaces'], verbs: ['list', 'watch'] },
    { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
  ]);
});

test('deploy: the binding joins that role and the account that the Pods run as', (t) => {
  const { roleRef, subjects } = find('ClusterRoleBinding');
  t.deepEqual(roleRef, { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'system:coredns' });
  t.deepEqual(subjects, [{ kind: 'ServiceAccount', name: 'coredns', namespace: 'kube-system' }]);
  t.is(deployment.spec.template.spec.serviceAccountName, 'coredns');
});

test("deploy: the Service has kubeadm's labels, annotations, selector and ports", (t) => {
  const { metadata, spec } = find('Service');
  t.deepEqual(metadata.labels, {
    'k8s-app': 'kube-dns',
    'kubernetes.io/cluster-service': 'true',
    'kubernetes.io/name': 'CoreDNS',
  });
  t.deepEqual(metadata.annotations, { 'prometheus.io/port': '9153', 'prometheus.io/scrape': 'true' });
  t.deepEqual(spec, {
    clusterIP: '10.96.0.10',
    selector: { 'k8s-app': 'kube-dns' },
    ports: [
      { name: 'dns', port: 53, protocol: 'UDP', targetPort: 53 },
      { name: 'dns-tcp', port: 53, protocol: 'TCP', targetPort: 53 },
      { name: 'metrics', port: 9153, protocol: 'TCP', targetPort: 9153 },
    ],
  });
});

test("deploy: the Deployment has kubeadm's labels, strategy and scheduling", (t) => {
  const { metadata, spec } = deployment;
  const labels = { 'k8s-app': 'kube-dns' };
  t.deepEqual(metadata, { name: 'coredns', namespace: 'kube-system', labels });
  t.is(spec.replicas, 2);
  t.deepEqual(spec.strategy, { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1 } });
  t.deepEqual(spec.selector, { matchLabels: labels });
  t.deepEqual(spec.template.metadata, { labels });
  const { containers: _, affinity, ...pod } = spec.template.spec;
  t.deepEqual(pod, {
    priorityClassName: 'system-cluster-critical',
    serviceAccountName: 'coredns',
    dnsPolicy: 'Default',
    nodeSelector: { 'kubernetes.io/os': 'linux' },
    tolerations: [
      { key: 'CriticalAddonsOnly', operator: 'Exists' },
      { key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' },
    ],
    volumes: [
      { name: 'config-volume', configMap: { name: 'coredns', items: [{ key: 'Corefile', path: 'Corefile' }] } },
    ],
  });
  const matchExpressions = [{ key: 'k8s-app', operator: 'In', values: ['kube-dns'] }];
  const podAffinityTerm = { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchExpressions } };
  t.deepEqual(affinity, {
    podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100, podAffinityTerm }] },
  });
});

test("deploy: the container has kubeadm's ports, probes, resources and security", (t) => {
  t.deepEqual(container, {
    name: 'coredns',
    image: 'clusterdns',
    imagePullPolicy: 'IfNotPresent',
    args: ['-conf', '/etc/coredns/Corefile'],
    ports: [
      { name: 'dns', containerPort: 53, protocol: 'UDP' },
      { name: 'dns-tcp', containerPort: 53, protocol: 'TCP' },
      { name: 'metrics', containerPort: 9153, protocol: 'TCP' },
      { name: 'liveness-probe', containerPort: 8080, protocol: 'TCP' },
      { name: 'readiness-probe', containerPort: 8181, protocol: 'TCP' },
    ],
    livenessProbe: {
      httpGet: { path: '/health', port: 'liveness-probe', scheme: 'HTTP' },
      initialDelaySeconds: 60,
      timeoutSeconds: 5,
      successThreshold: 1,
      failureThreshold: 5,
    },
    readinessProbe: { httpGet: { path: '/ready', port: 'readiness-probe', scheme: 'HTTP' } },
    resources: { requests: { cpu: '100m', memory: '70Mi' }, limits: { memory: '170Mi' } },
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { add: ['NET_BIND_SERVICE'], drop: ['ALL'] },
    },
    volumeMounts: [{ name: 'config-volume', mountPath: '/etc/coredns', readOnly: true }],
  });
});

test('deploy: the Corefile of the ConfigMap passes -check', async (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clusterdns-deploy-'));
  t.teardown(() => fs.rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'Corefile');
  fs.writeFileSync(file, (find('ConfigMap').data as { Corefile: string }).Corefile);
  const launcher = path.join(PACKAGE_DIR, 'bin/clusterdns');
  const { stdout } = await run(process.execPath, [launcher, '-check', '-conf', file], { timeout: 30_000 });
  t.is(stdout, '');
});

test("deploy: the README shows the ConfigMap's Corefile", (t) => {
  const { Corefile } = find('ConfigMap').data as { Corefile: string };
  t.true(readPackageFile('README.md')!.includes(Corefile));
});

test('deploy: spread budget and constraints select the Pods of the Deployment', (t) => {
  const matchLabels = { 'k8s-app': 'kube-dns' };
  const [budget] = readDocuments(`${SPREAD}/pod-disruption-budget.yaml`) as unknown as [
    { spec: { selector: unknown } },
  ];
  t.deepEqual(budget.spec.selector, { matchLabels });
  const [patch] = readDocuments(`${SPREAD}/deployment-patch.yaml`) as unknown as [typeof deployment];
  const constraints = patch.spec.template.spec.topologySpreadConstraints as { labelSelector: unknown }[];
  t.is(constraints.length, 2);
  for (const { labelSelector } of constraints) t.deepEqual(labelSelector, { matchLabels });
});

test('deploy: the image is tagged with the version of the package everywhere', (t) => {
  const { images } = parse(readPackageFile(`${KUBEADM}/kustomization.yaml`)!) as { images: unknown };
  t.deepEqual(images, [{ name: 'clusterdns', newTag: VERSION }]);
  const { image } = parse(readPackageFile('deploy/helm/values.yaml')!) as { image: unknown };
  t.deepEqual(image, { repository: 'clusterdns', tag: VERSION });
  t.true(readPackageFile('deploy/image/Dockerfile')!.includes(`--tag clusterdns:${VERSION} `));
});

test('deploy: the image starts the server as bin/launch.sh does', (t) => {
  const dockerfile = readPackageFile('deploy/image/Dockerfile')!;
  const launcher = readPackageFile('bin/launch.sh')!;
  const entry = JSON.parse(/^ENTRYPOINT (.+)$/m.exec(dockerfile)![1]!) as string[];
  const [, fixedFlags] = /^set -- (--.*) "\$main" "\$@"$/m.exec(launcher)!;
  const [, share, of] = /limit \/ 1048576 \* (\d+) \/ (\d+)/.exec(launcher)!;
  t.deepEqual(entry, [
    '/nodejs/bin/node',
    ...fixedFlags!.split(' '),
    `--max-old-space-size-percentage=${(100 * Number(share)) / Number(of)}`,
    '/clusterdns/dist/lib/control/main.js',
  ]);
  t.regex(dockerfile, /^USER 65532:65532$/m);
  t.regex(dockerfile, /^WORKDIR \/$/m);
});

test('deploy: what the Dockerfile copies is there and reaches the engine', (t) => {
  const dockerfile = readPackageFile('deploy/image/Dockerfile')!;
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, words]) => words!.split(' '));
  const ignored = readPackageFile('deploy/image/Dockerfile.dockerignore')!;
  const sent: string[] = [...ignored.matchAll(/^!(.+)$/gm)].map(([, name]) => name!);
  t.deepEqual(copied.toSorted(), sent.toSorted());
  t.deepEqual(
    copied.filter((name) => !fs.existsSync(path.join(PACKAGE_DIR, name))),
    [],
  );
});
