// The real API server of the cluster tests (kube-lite, see apiserver/README.md): builds it when needed, starts it on
// loopback, and talks to it as its administrator. Main thread of a test program.
import fs from 'node:fs';
import https from 'node:https';
import path from 'node:path';
import { findFreePort, findProgram, makeFolder, Program, runProgram, waitFor } from '../scenario/programs.mjs';

const SOURCES = path.join(import.meta.dirname, 'apiserver');
const BINARY = path.join(SOURCES, 'kube-lite');
const BUILD_LIMIT_MS = 900_000;

/** Builds kube-lite unless it is newer than its source. @returns why there is none, or undefined */
export async function buildApiServer() {
  const builtMs = fs.statSync(BINARY, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const newest = fs.readdirSync(SOURCES).filter((file) => /\.go$|^go\./.test(file));
  if (newest.every((file) => fs.statSync(path.join(SOURCES, file)).mtimeMs <= builtMs)) return undefined;
  if (findProgram('go') === undefined) return 'building the API server needs Go 1.25 or newer, which is not installed';
  process.stdout.write('building the API server, some minutes the first time\n');
  const { ended, output } = await runProgram('sh', [path.join(SOURCES, 'build.sh')], { timeoutMs: BUILD_LIMIT_MS });
  return ended.code === 0 ? undefined : `the API server cannot be built: ${output.trim().split('\n').at(-1)}`;
}

export class ApiServer {
  folder = makeFolder('apiserver');
  port;
  insecurePort;
  #flags;
  #program;
  #agent = new https.Agent({ keepAlive: true });

  /** @param flags more flags of kube-lite */
  constructor(flags = []) {
    this.#flags = flags;
  }

  /** Starts it, the first time on a free port and later on the same one with the same data. */
  async start() {
    this.port ??= await findFreePort();
    const words = ['--listen', `127.0.0.1:${this.port}`, '--dir', this.folder, ...this.#flags];
    this.#program = new Program(BINARY, words);
    await waitFor(
      'API server',
      () => {
        if (this.#program.ended !== undefined) throw new Error(this.#program.output.slice(-1000));
        return this.#program.stdout.includes('ready ');
      },
      30_000,
    );
  }

  get adminKubeconfig() {
    return path.join(this.folder, 'admin.kubeconfig');
  }

  read(file) {
    return fs.readFileSync(path.join(this.folder, file), 'latin1').trim();
  }

  kill() {
    return this.#program.kill();
  }

  stop() {
    this.#agent.destroy();
    return this.#program?.stop();
  }

  /** Fills it with the objects of bench/cluster.mjs. */
  async load(services, endpoints) {
    const words = [
      'load',
      '--kubeconfig',
      this.adminKubeconfig,
      '--services',
      `${services}`,
      '--endpoints',
      `${endpoints}`,
    ];
    const { ended, output } = await runProgram(BINARY, words, { timeoutMs: 120_000 });
    if (ended.code !== 0) throw new Error(`load: ${output.slice(-1000)}`);
    return output.trim();
  }

  /** One request with the administrator's token (or another one): {status, body}. */
  request(method, resource, { token = this.read('admin-token'), body } = {}) {
    return new Promise((resolve, reject) => {
      const request = https.request(this.#target(method, resource, token), (response) => {
        let text = '';
        response.on('data', (chunk) => (text += chunk));
        response.on('end', () => resolve({ status: response.statusCode, body: text }));
      });
      request.on('error', reject);
      request.end(body);
    });
  }

  /**
   * Follows a collection from now on.
   *
   * @param onEvent called with the event and the time it was read, in milliseconds of performance.now()
   * @returns a function that ends it
   */
  async watch(collection, onEvent) {
    const { metadata } = JSON.parse((await this.request('GET', `${collection}?limit=1`)).body);
    const url = `${collection}?watch=1&resourceVersion=${metadata.resourceVersion}`;
    const request = https.get(this.#target('GET', url, this.read('admin-token')), (response) => {
      let rest = '';
      response.on('data', (chunk) => {
        const atMs = performance.now();
        const lines = (rest + chunk).split('\n');
        rest = lines.pop();
        for (const line of lines) onEvent(JSON.parse(line), atMs);
      });
      response.on('error', () => {});
    });
    request.on('error', () => {});
    return () => request.destroy();
  }

  #target(method, resource, token) {
    return {
      method,
      host: '127.0.0.1',
      port: this.port,
      path: resource,
      agent: this.#agent,
      ca: this.read('ca.crt'),
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    };
  }
}

/** Creates, changes and deletes objects: with kubectl where it is installed, else over REST. */
export class Editor {
  #api;
  #hasKubectl = findProgram('kubectl') !== undefined;

  constructor(api) {
    this.#api = api;
  }

  get name() {
    return this.#hasKubectl ? 'kubectl' : 'REST';
  }

  create(object) {
    if (this.#hasKubectl) return this.#kubectl(['create', '-f', '-'], JSON.stringify(object));
    return this.#rest('POST', collectionOf(object), object);
  }

  /** Replaces an object, whatever its version. */
  change(object) {
    if (this.#hasKubectl) return this.#kubectl(['replace', '-f', '-'], JSON.stringify(object));
    return this.#rest('PUT', `${collectionOf(object)}/${object.metadata.name}`, object);
  }

  delete(object) {
    const { name, namespace } = object.metadata;
    if (!this.#hasKubectl) return this.#rest('DELETE', `${collectionOf(object)}/${name}`);
    return this.#kubectl(['delete', '--wait=false', '-n', namespace, `${object.kind.toLowerCase()}/${name}`]);
  }

  async #kubectl(words, input) {
    const config = ['--kubeconfig', this.#api.adminKubeconfig];
    const { ended, output } = await runProgram('kubectl', [...config, ...words], { input, timeoutMs: 30_000 });
    if (ended.code !== 0) throw new Error(`kubectl ${words.join(' ')}: ${output}`);
  }

  async #rest(method, resource, object) {
    const { status, body } = await this.#api.request(method, resource, { body: JSON.stringify(object) });
    if (status >= 300) throw new Error(`${method} ${resource}: ${status} ${body}`);
  }
}

/** Where objects of this kind live. */
export function collectionOf({ apiVersion, kind, metadata: { namespace } }) {
  const root = apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`;
  return `${root}${namespace === undefined ? '' : `/namespaces/${namespace}`}/${kind.toLowerCase().replace(/s?$/, 's')}`;
}
