// Installs the dependencies when they are missing or differ from package-lock.json; else does nothing, without network.
// Plain JavaScript that Node 20 can read; runs before `npm start`, `npm test` and `npm run build`.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const packageDir = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const reason = findReason();
if (reason !== undefined) install(reason);

/** Why an install is needed; undefined when what is installed is what the lock file says. */
function findReason() {
  const wanted = readPackages('package-lock.json');
  const installed = readPackages(path.join('node_modules', '.package-lock.json'));
  if (wanted === undefined) return undefined;
  if (installed === undefined) return 'node_modules is missing';
  for (const [name, entry] of Object.entries(wanted)) {
    if (name === '' || entry.link) continue;
    const present = installed[name];
    if (present === undefined ? !entry.optional && !entry.devOptional : present.version !== entry.version) {
      // Packages for another platform are never installed; a dev dependency is left out of a production install.
      if (present === undefined && entry.dev && process.env.NODE_ENV === 'production') continue;
      return `${name.replace(/^.*node_modules\//, '')} ${present === undefined ? 'is missing' : 'has changed'}`;
    }
  }
  return undefined;
}

function readPackages(file) {
  try {
    return JSON.parse(fs.readFileSync(path.join(packageDir, file), 'utf8')).packages;
  } catch {
    return undefined;
  }
}

function install(why) {
  process.stderr.write(`clusterdns: installing dependencies, ${why}\n`);
  let result = runNpm(['ci']);
  // `npm ci` refuses a lock file without the packages of platforms that a registry does not carry. `npm install` takes
  // the same locked versions then, and leaves the lock file as it is.
  if (result.status !== 0 && /\bEUSAGE\b/.test(result.stderr ?? '')) result = runNpm(['install', '--no-save']);
  if (result.status === 0) return;
  process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}${result.error?.message ?? ''}\n`);
  process.stderr.write('clusterdns: the installation failed, try "npm install" by hand\n');
  process.exit(1);
}

function runNpm(words) {
  const npm = process.env.npm_execpath;
  const args = [...words, '--no-audit', '--no-fund', '--loglevel=error', '--no-progress'];
  const isScript = npm !== undefined && /\.[cm]?js$/.test(npm);
  const [command, first] = isScript ? [process.execPath, [npm]] : ['npm', []];
  return spawnSync(command, [...first, ...args], { cwd: packageDir, encoding: 'utf8' });
}
