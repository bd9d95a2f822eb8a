#!/usr/bin/env node
// Fault tests of the whole program: what goes wrong around the server, and what its clients see. Last line: "N passed, N failed".
//
//   node test/fault/run.mjs [--only REGEX]
import { Checks } from '../scenario/checks.mjs';
import { run } from './upstreams.mjs';

const words = process.argv.slice(2);
const onlyAt = words.indexOf('--only');
const checks = new Checks(onlyAt < 0 ? undefined : new RegExp(words[onlyAt + 1]));
await run(checks);
process.exit(checks.finish());
