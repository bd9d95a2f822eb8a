// Every example of every plugin's README: the program starts with it and answers, in a private network where its ports are free.
import fs from 'node:fs';
import path from 'node:path';
import { expect } from './checks.mjs';
import { findProgram, PROJECT_DIR, runProgram } from './programs.mjs';

const PLUGINS_DIR = path.join(PROJECT_DIR, 'lib', 'plugins');
const LIMIT_MS = 300_000;
/** Networks used side by side. */
const NETWORKS = 2;

export async function run(checks) {
  checks.area('examples');
  const unshare = process.getuid() === 0 ? ['-n', '-m'] : ['-r', '-n', '-m'];
  const tried = findProgram('unshare') && findProgram('ip') && (await runProgram('unshare', [...unshare, 'true']));
  if (tried?.ended.code !== 0) {
    checks.skip('all', 'unshare or ip is missing or not permitted here, and the examples use fixed ports');
    return;
  }
  const examples = readExamples();
  const shares = Array.from({ length: NETWORKS }, (_, i) => examples.filter((_, at) => at % NETWORKS === i));
  const inside = path.join(PROJECT_DIR, 'test', 'scenario', 'examples', 'inside.mjs');
  const seen = new Map();
  await Promise.all(
    shares.map(async (share) => {
      const words = [...unshare, process.execPath, inside, JSON.stringify(share)];
      const { output } = await runProgram('unshare', words, { timeoutMs: LIMIT_MS });
      for (const line of output.split('\n')) {
        const match = /^EXAMPLE (\S+) (.*)$/.exec(line);
        if (match) seen.set(match[1], match[2]);
      }
    }),
  );
  for (const { id } of examples) {
    await checks.check(`${id} starts and answers`, () => {
      const result = seen.get(id) ?? 'was not reached';
      expect(result.startsWith('ok'), result);
      return result.slice(3);
    });
  }
}

/** Examples stand in fences called `corefile`; a bare directive is put into a server block. */
function readExamples() {
  const examples = [];
  for (const plugin of fs.readdirSync(PLUGINS_DIR, { withFileTypes: true })) {
    if (!plugin.isDirectory()) continue;
    const readme = fs.readFileSync(path.join(PLUGINS_DIR, plugin.name, 'README.md'), 'utf8');
    const fences = [...readme.matchAll(/^```(?:text )?corefile\n([\s\S]*?)^```$/gim)];
    for (const [index, [, text]] of fences.entries()) examples.push({ id: `${plugin.name}/${index + 1}`, text });
  }
  return examples;
}
