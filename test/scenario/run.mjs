#!/usr/bin/env node
// Whole-program tests: starts bin/clusterdns as its users do and looks at it from outside. Last line: "N passed, N failed".
//
//   node test/scenario/run.mjs [AREA...] [--only REGEX]
//
// AREA is a file of this folder: demo examples resolvers malformed hostile bad-corefiles load signals monitoring zones signed-zones
// (default: all).
// LOAD_SECONDS=60 loads for a minute instead of ten seconds; ALL_COREFILES=1 tries every bad Corefile, not a sample.
import { Checks } from './checks.mjs';

const AREAS = [
  'demo',
  'examples',
  'resolvers',
  'malformed',
  'hostile',
  'bad-corefiles',
  'load',
  'signals',
  'monitoring',
  'zones',
  'signed-zones',
];
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
  try {
    await run(checks);
  } catch (error) {
    checks.area(area);
    await checks.check('runs', () => {
      throw error;
    });
  }
}
process.exit(checks.finish());
