#!/usr/bin/env node
// `npm run bench`: this server, and any peer named on the command line, side by side on one synthetic cluster.
//
//   npm run bench -- [--peer NAME='COMMAND -conf {corefile}']... [options of compare.mjs, see its head]
//
// Without a --peer named "ours" the server of this folder is measured as "ours".
import { spawn } from 'node:child_process';
import path from 'node:path';

const compare = path.join(import.meta.dirname, 'compare.mjs');
const launcher = path.join(import.meta.dirname, '..', 'bin', 'clusterdns');
const words = process.argv.slice(2);
const namesOurs = words.some((word) => word.startsWith('ours='));
const ours = namesOurs ? [] : ['--peer', `ours=${launcher} -conf {corefile}`];

const child = spawn(process.execPath, [compare, ...ours, ...words], { stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.on('exit', (code) => process.exit(code ?? 1));
