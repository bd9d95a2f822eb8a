#!/usr/bin/env node
// `npm run fault`: what goes wrong around the server, and what its clients see; the whole program in real time. Last line:
// "N passed, N failed".
//
//   node test/fault/run.mjs [AREA...] [--only REGEX]
//
// AREA is `upstreams`, `real-upstreams`, `cluster` or `workers` (default: all). RELISTS=3 makes fewer of them. The same faults of the cluster are in
// *.test.ts of this folder in injected time, as part of `npm test`.
import { Checks } from '../scenario/checks.mjs';

const AREAS = ['upstreams', 'real-upstreams', 'cluster', 'workers', 'dgram'];
const words = process.argv.slice(2);
const onlyAt = words.indexOf('--only');
const only = onlyAt < 0 ? undefined : new RegExp(words.splice(onlyAt, 2)[1]);
const unknown = words.filter((word) => !AREAS.includes(word));
if (unknown.length > 0) {
  process.stderr.write(`unknown area ${unknown.join(', ')}; there are: ${AREAS.join(' ')}\n`);
  process.exit(2);
}
const checks = new Checks(only);
for (const area of words.length > 0 ? words : AREAS) {
  const { run } = await import(`./${area}.mjs`);
  await run(checks);
}
process.exit(checks.finish());
