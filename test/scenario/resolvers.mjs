// Real stub resolvers with a Pod's resolv.conf (search list, ndots:5) resolve every name of the demo. They run in a
// private network and mount namespace, where the demo listens on port 53; see resolvers/inside.mjs.
import crypto from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, expectEqual, sortUnique } from './checks.mjs';
import { readDemoNames } from './demo-names.mjs';
import { findProgram, makeFolder, runProgram } from './programs.mjs';

const SOURCES = path.join(import.meta.dirname, 'resolvers');
/** Where built programs are kept between runs. */
const CACHE = path.join(os.tmpdir(), `clusterdns-test-programs-${os.userInfo().uid}`);
/** The name that has more addresses than musl's table (48) or a plain UDP answer holds. */
const MANY = 'workers.shop';
const OUTSIDE = { 'www.example.com': ['192.0.2.80', '2001:db8::80'], 'example.com.': ['192.0.2.81'] };
const UNKNOWN = ['nope.shop', 'web.nope', 'nope.example.com.'];

const SETUP = [
  'ip link set lo up',
  'ip addr add 10.244.9.9/32 dev lo',
  'ip -6 addr add fd00:10:244:9::9/128 dev lo 2>/dev/null',
  'printf "127.0.0.1 localhost\\n" >"$1/hosts" && mount --bind "$1/hosts" /etc/hosts',
  'printf "hosts: files dns\\n" >"$1/nsswitch.conf" && mount --bind "$1/nsswitch.conf" /etc/nsswitch.conf',
];

export async function run(checks) {
  checks.area('resolvers');
  const unshare = process.getuid() === 0 ? ['-n', '-m'] : ['-r', '-n', '-m'];
  const reason = await findObstacle(unshare);
  if (reason !== undefined) {
    checks.skip('stub resolvers with a Pod resolv.conf', reason);
    return;
  }
  const wanted = makeWanted();
  const folder = makeFolder('resolvers');
  const programs = await buildPrograms(checks);
  const plan = {
    names: [...wanted.keys()],
    fqdns: [...wanted.keys()].filter((name) => name.endsWith('.')),
    programs,
    folder,
  };
  const script = `${SETUP.join('\n')}\nexec "$2" "$3" "$4"\n`;
  const inside = path.join(SOURCES, 'inside.mjs');
  const words = [...unshare, 'sh', '-c', script, 'sh', folder, process.execPath, inside, JSON.stringify(plan)];
  const ran = await runProgram('unshare', words, { timeoutMs: 180_000 });
  const reports = ran.stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line));
  await checks.check('the demo runs on port 53 in a private network', () =>
    expect(ran.ended.code === 0 && reports.length > 0, `${JSON.stringify(ran.ended)}\n${ran.output.slice(-3000)}`),
  );
  for (const report of reports) await checkReport(checks, report, wanted);
}

async function findObstacle(unshare) {
  for (const program of ['unshare', 'ip', 'mount']) {
    if (findProgram(program) === undefined) return `${program} is not installed`;
  }
  const tried = await runProgram('unshare', [
    ...unshare,
    'sh',
    '-c',
    'ip link set lo up && mount --bind /etc/hosts /etc/hosts',
  ]);
  return tried.ended.code === 0 ? undefined : `private namespaces are not permitted (${tried.stderr.trim()})`;
}

/** What every form of every name must give: name as typed -> sorted addresses, undefined for "not found". */
function makeWanted() {
  const wanted = new Map(Object.entries(OUTSIDE));
  for (const { host, fqdn, addresses, outside } of readDemoNames()) {
    const found = addresses ?? OUTSIDE[outside.replace(/\.$/, '')];
    for (const form of [host, `${host}.svc`, fqdn.slice(0, -1), fqdn]) wanted.set(form, sortUnique(found));
    if (host.endsWith('.default')) wanted.set(host.split('.')[0], sortUnique(found));
  }
  for (const name of UNKNOWN) wanted.set(name, undefined);
  return wanted;
}

async function checkReport(checks, { resolver, answers, skipped, stderr }, wanted) {
  if (skipped !== undefined) {
    checks.skip(resolver, skipped);
    return;
  }
  await checks.check(`${resolver} resolves every name of the demo`, () => {
    const asked = Object.keys(answers);
    expect(asked.length > 5, `only ${asked.length} names answered ${stderr}`);
    for (const name of asked) checkName(resolver, name, answers[name], wanted.get(name));
    return `${asked.length} names`;
  });
}

function checkName(resolver, name, found, addresses) {
  if (addresses === undefined) {
    expect(found[0]?.startsWith('!'), `${name}: got ${found}, want no address`);
    return;
  }
  if (resolver.startsWith('musl') && name.startsWith(MANY)) {
    // musl before 1.2.4 takes what fits into 512 bytes and never asks over TCP; later ones stop at 48.
    const known = found.filter((address) => addresses.includes(address));
    return expect(
      known.length === found.length && known.length >= 20,
      `${name}: ${known.length} of ${found.length} known`,
    );
  }
  expectEqual(found, addresses, name);
}

/** Builds what needs a compiler; a missing one is a skip. Programs by the resolver's name. */
async function buildPrograms(checks) {
  fs.mkdirSync(CACHE, { recursive: true, mode: 0o700 });
  const programs = {};
  const build = async (resolver, compiler, source, makeArgs, env) => {
    if (findProgram(compiler) === undefined) {
      checks.skip(resolver, `${compiler} is not installed`);
      return;
    }
    const from = path.join(SOURCES, source);
    const hash = crypto.createHash('sha256').update(fs.readFileSync(from)).digest('hex').slice(0, 16);
    const to = path.join(CACHE, `${compiler}-${hash}`);
    if (!fs.existsSync(to)) {
      const { ended, output } = await runProgram(compiler, makeArgs(from, `${to}.new`), { env, timeoutMs: 180_000 });
      if (ended.code !== 0) {
        checks.skip(resolver, `${compiler} cannot build ${source}: ${output.slice(-200)}`);
        return;
      }
      fs.renameSync(`${to}.new`, to);
    }
    programs[resolver] = to;
  };
  await build('musl getaddrinfo', 'musl-gcc', 'lookup.c', (from, to) => ['-static', '-O1', '-o', to, from]);
  await build('Go net.Resolver', 'go', 'lookup.go', (from, to) => ['build', '-o', to, from], {
    ...process.env,
    CGO_ENABLED: '0',
    GOTOOLCHAIN: 'local',
    GOFLAGS: '',
    GO111MODULE: 'off',
  });
  return programs;
}
