// Builds dist/ from lib/: `npm run build`, and after every install, because the built server starts faster and needs a fifth less
// memory than its source. Plain JavaScript that Node 20 can read.
//
//   node bin/build.mjs [--if-possible]     without a compiler (an install without development packages): nothing, successfully
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const packageDir = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const compiler = path.join(packageDir, 'node_modules', '.bin', 'tsc');
if (!fs.existsSync(compiler) && process.argv.includes('--if-possible')) process.exit(0);
fs.rmSync(path.join(packageDir, 'dist'), { recursive: true, force: true });
const { status, error } = spawnSync(compiler, ['-p', 'tsconfig.build.json'], { cwd: packageDir, stdio: 'inherit' });
if (error) process.stderr.write(`clusterdns: ${compiler}: ${error.message}\n`);
process.exit(status ?? 1);
