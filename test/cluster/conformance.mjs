// The Kubernetes checks of test/conformance against the real API server instead of the fake one. Main thread of a test
// program.
import fs from 'node:fs';
import path from 'node:path';
import { expect } from '../scenario/checks.mjs';
import { makeFolder, PROJECT_DIR, runProgram } from '../scenario/programs.mjs';
import { ApiServer } from './api-server.mjs';

const CONFORMANCE = path.join(PROJECT_DIR, 'test', 'conformance');
const VECTORS = ['kubernetes', 'own'].map((folder) => path.join(CONFORMANCE, 'vectors', folder));
/** What only the fake API server can do or show, and kinds that the real one does not serve. */
const NEEDS_FAKE =
  /"api":|"dropWatches"|"gone":|"fail":|"hang":|"bookmark"|waitWatchers|apiWatched|apiNotRequested|ServiceImport/;
/** Plugins with checks of their own. */
const OTHER_PLUGINS = /autopath|k8s_external|multicluster|transfer|metadata *\\n/;
/** A Corefile with a plugin that this program has not. */
const NOT_BUILT = /is not built into this program/;
const LIMIT_MS = 150_000;

export async function checkConformance(checks) {
  checks.area('conformance on a real API server');
  const knownFile = path.join(CONFORMANCE, 'known-differences.json');
  const known = fs.existsSync(knownFile) ? JSON.parse(fs.readFileSync(knownFile, 'utf8')) : {};
  const api = new ApiServer(['--insecure-port', '0']);
  const folder = makeFolder('conformance');
  const results = path.join(folder, 'results.json');
  try {
    await api.start();
    const { clusters } = readKubeconfig(api.read('insecure.kubeconfig'));
    const files = VECTORS.flatMap((folder) => fs.readdirSync(folder).map((file) => path.join(folder, file)))
      .filter((file) => file.endsWith('.json') && !/startup": *"fail/.test(fs.readFileSync(file, 'utf8')))
      .filter(
        (file) => !NEEDS_FAKE.test(fs.readFileSync(file, 'utf8')) && !OTHER_PLUGINS.test(fs.readFileSync(file, 'utf8')),
      );
    const command = process.env.SERVER_COMMAND ?? `${process.execPath} ${PROJECT_DIR}/bin/clusterdns -conf {corefile}`;
    const hook = path.join(import.meta.dirname, 'use-real-apiserver.mjs');
    const runner = path.join(CONFORMANCE, 'run-vectors.mjs');
    const words = [
      '--import',
      hook,
      runner,
      '--cmd',
      command,
      '--quiet',
      '--skip-tag',
      'quirk',
      '--json',
      results,
      ...files,
    ];
    const env = { ...process.env, REAL_API_SERVER: clusters };
    const program = await runProgram(process.execPath, words, { env, timeoutMs: LIMIT_MS });
    await report(checks, results, known, program);
  } catch (error) {
    await checks.check('runs', () => {
      throw error;
    });
  } finally {
    await api.stop();
  }
}

function readKubeconfig(text) {
  return { clusters: /server: (\S+)/.exec(text)[1] };
}

async function report(checks, file, known, program) {
  const vectors = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')).vectors : [];
  await checks.check('the runner comes to its end', () => expect(vectors.length > 0, program.output.slice(-2000)));
  for (const vector of vectors) {
    const asked = vector.results.filter(({ id, status }) => status !== 'skip' && known[id] === undefined);
    const notBuilt = asked.find(({ diffs }) => NOT_BUILT.test(diffs?.join('\n')));
    if (notBuilt !== undefined) {
      checks.skip(vector.name, notBuilt.diffs.join(' ').split('\n')[1] ?? 'not built');
      continue;
    }
    await checks.check(vector.name, () => {
      const failed = asked.filter(({ status }) => status !== 'pass');
      expect(failed.length === 0, failed.map(({ id, diffs }) => `${id}: ${(diffs ?? []).join('; ')}`).join('\n'));
      return `${asked.length} queries`;
    });
  }
}
