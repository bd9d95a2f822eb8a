// The plugin `acl` where a query is about more names than one: rewritten, found along a search path, led on by aliases, cached.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'ava';
import type { Answer } from '../../../lib/chain/answer.ts';
import { Outcome } from '../../../lib/chain/outcome.ts';
import type { Handler } from '../../../lib/chain/plugin.ts';
import type { Query } from '../../../lib/chain/query.ts';
import { parseNameLower } from '../../../lib/wire/name.ts';
import { RCODE, RRTYPE } from '../../../lib/wire/types.ts';
import { BlockRig } from './block-rig.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clusterdns-acl-'));
const searchFile = path.join(folder, 'resolv.conf');
fs.writeFileSync(searchFile, 'search first.test secret.test\n');
test.after.always(() => fs.rmSync(folder, { recursive: true }));

const HIDDEN = [6, 6, 6, 6] as const;
const OPEN = [192, 0, 2, 1] as const;

/** What stands behind `acl`: aliases as `from to`, and an address for every name but those below first.test. */
function serve(query: Query, answer: Answer, aliases: readonly string[]): Outcome {
  let name = query.formatName();
  for (;;) {
    const found = aliases.find((alias) => alias.startsWith(`${name} `));
    if (found === undefined) break;
    const target = found.slice(name.length + 1);
    answer.beginRecord(0, parseNameLower(name)!, 0, RRTYPE.CNAME, 60);
    answer.writeName(parseNameLower(target)!);
    answer.endRecord();
    name = target;
  }
  if (name.endsWith('first.test.')) {
    answer.rcode = RCODE.NXDOMAIN;
    return Outcome.ANSWERED;
  }
  answer.beginRecord(0, parseNameLower(name)!, 0, RRTYPE.A, 60);
  answer.putBytes(Uint8Array.from(name.endsWith('secret.test.') ? HIDDEN : OPEN), 0, 4);
  answer.endRecord();
  return Outcome.ANSWERED;
}

function rigOf(lines: string, aliases: readonly string[], waits: boolean): BlockRig {
  const last: Handler = (query, answer) =>
    waits ? Promise.resolve().then(() => serve(query, answer, aliases)) : serve(query, answer, aliases);
  return new BlockRig(lines, { last });
}

const GUARD = 'acl secret.test {\n allow net 10.0.0.0/8\n block\n}';
const WAYS: readonly (readonly [way: string, lines: string, aliases: readonly string[], name: string])[] = [
  ['the name itself', '', [], 'x.secret.test'],
  ['rewrite to it', 'rewrite name x.open.test x.secret.test', [], 'x.open.test'],
  ['rewrite of it', 'rewrite name x.secret.test x.open.test', [], 'x.secret.test'],
  [
    'rewrite to it with the answer put back',
    'rewrite name suffix .open.test .secret.test answer auto',
    [],
    'x.open.test',
  ],
  ['an alias', '', ['x.open.test. x.secret.test.'], 'x.open.test'],
  ['a chain of aliases', '', ['x.open.test. y.test.', 'y.test. x.secret.test.'], 'x.open.test'],
  ['a chain through it', '', ['x.open.test. x.secret.test.', 'x.secret.test. y.test.'], 'x.open.test'],
  ['search expansion (#8290)', `autopath ${searchFile}`, [], 'x.first.test'],
  [
    'search expansion to an alias',
    `autopath ${searchFile}\nrewrite name suffix .old.test .first.test`,
    ['x.secret.test. y.test.'],
    'x.old.test',
  ],
];
for (const [way, lines, aliases, name] of WAYS) {
  for (const isCached of [false, true]) {
    for (const waits of [false, true]) {
      const title = `CVE-2026-26017: acl, ${way}${isCached ? ', cached (#8289)' : ''}${waits ? ', waiting' : ''}`;
      test(`${title}: a client that may not ask for the final or the asked name gets nothing`, async (t) => {
        const rig = rigOf(`${GUARD}\n${lines}\n${isCached ? 'cache 30' : ''}`, aliases, waits);
        const allowed = { from: '10.1.1.1', udpSize: 1232 };
        const denied = { from: '192.0.2.7', udpSize: 1232 };
        for (let round = 0; round < 2; round++) {
          const good = await rig.ask(name, allowed);
          t.is(good.rcode, 'NOERROR');
          t.true(good.answers.length > 0);
          const bad = await rig.ask(name, denied);
          t.is(`${bad.rcode} ${bad.answer.ede}`, 'REFUSED 15');
          t.deepEqual([bad.answers, bad.authorities, bad.additionals], [[], [], []]);
        }
        t.is(rig.metric('coredns_acl_blocked_requests_total', { zone: 'secret.test.' }), 2);
      });
    }
  }
}

test('acl: a list of zones that may be asked for lets rewrites and aliases lead out of them', async (t) => {
  const guard = 'acl open.test {\n allow\n}\nacl {\n block\n}';
  const aliases = rigOf(guard, ['x.open.test. elsewhere.test.'], false);
  t.is((await aliases.ask('x.open.test')).answers.length, 2);
  t.is((await aliases.ask('elsewhere.test')).rcode, 'REFUSED');
  // As in CoreDNS the name after rewrite is what such a list is about.
  const rewritten = rigOf(`${guard}\nrewrite name short.test x.open.test`, [], false);
  t.is((await rewritten.ask('short.test')).answers.length, 1);
});

test('acl: an alias into a zone is taken back with what the rule says: filter and drop', async (t) => {
  for (const action of ['filter', 'drop']) {
    const rig = rigOf(`acl secret.test {\n ${action} type A\n}`, ['x.open.test. x.secret.test.'], false);
    const { outcome, rcode, answers, answer } = await rig.ask('x.open.test');
    t.is(outcome === Outcome.DROPPED, action === 'drop');
    if (action === 'filter') t.deepEqual([rcode, answer.ede, answers], ['NOERROR', 17, []]);
    t.is((await rig.ask('x.open.test', { type: 'TXT' })).outcome, Outcome.ANSWERED);
  }
});

test('acl: a rewritten query that leaves the zone of the block is judged by the name asked for', async (t) => {
  const guard = 'acl {\n block net 192.0.2.0/24\n}\nrewrite name x.open.test y.other';
  const rig = new BlockRig(guard, { zones: ['open.test.'], last: (query, answer) => serve(query, answer, []) });
  t.is((await rig.ask('x.open.test', { from: '192.0.2.1' })).rcode, 'REFUSED');
  t.is((await rig.ask('x.open.test', { from: '10.0.0.1' })).answers.length, 1);
});
