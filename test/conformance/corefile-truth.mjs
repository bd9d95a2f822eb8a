#!/usr/bin/env node
// Which Corefiles does a server accept?  Runs every file of the corpora and compares with index.json,
// whose verdicts came from CoreDNS 1.14.7 run by this same script (--record).
//
//   node corefile-truth.mjs --cmd 'coredns -conf {corefile}' [options] [INDEX.json ...]
//
//   --cmd TEMPLATE   how to start the server; {corefile} and {dir} are replaced. Split on blanks, quotes
//                    respected, no shell. The working directory is {dir}, a fresh folder with the stand-ins.
//   INDEX.json       default: corefiles/index.json and corefiles-bad/index.json beside this file, if there
//   --only REGEX     only cases whose id matches (17, 17:subst, 40:alone, bad/lex-bom, ...)
//   --jobs N         parallel sandboxes (default 4);  --timeout MS  per case (default 15000)
//   --settle MS      a server that listens and has not exited is "up" after this long (default 700)
//   --ready-regex R  its output says when it is up (then --settle shrinks to 200 ms): '^CoreDNS-'
//   --record         write the verdicts into the index files instead of comparing with them
//   --json OUT       all results;  --verbose  every case;  --strict  exit 1 on any disagreement (default:
//                    exit 1 only if a verdict differs, not for line numbers)
//   --known FILE     known differences: JSON {"id":"reason"}; they count as agreement and are listed apart
//
// Each job runs in a private network and mount namespace (unshare -n -m, with -r when not root): loopback
// only, so ports are free and nothing leaves the machine. In it: a root folder made of bind mounts, with
// stand-ins for the absolute paths the corpus names (zone files, hosts, TLS files, kubeconfigs,
// /etc/resolv.conf, the service-account folder); the case's literal listen addresses on lo; an eth0 with a
// stub resolver behind it (192.0.2.53); a fake API server over TLS that KUBERNETES_SERVICE_HOST points to;
// values for the environment variables the corpus names. A stand-in exists for every file the author had,
// so a refusal is about the configuration; what still depends on the outside is recorded with reason
// "environment" and not compared. Needs Linux, util-linux (unshare, mount, chroot) and iproute2 (ip).
//
// An index entry describes one file; the cases made from it are
//   N          the text as it is; an "override" fragment is imported into ".:53 { import custom/*.override }"
//   N:alone    an "override" fragment given as the whole Corefile
//   N:subst    the text after the literal replacements in "subst" (placeholders filled in)
// Fields: coredns "accepts"|"refuses" ("hangs": neither, not compared), reason (kind), plugin, error, line (of the file at fault),
// serves (the listeners CoreDNS prints, empty: it runs and serves nothing), warnings (start-up lines with [WARNING]/[ERROR]); "alone" and "substituted" hold the same for the others.
// Reason kinds: plugin-unknown, syntax, option-unknown, arguments, bad-value, duplicate, missing-file,
// unresolvable (a host name the sandbox's resolver does not know),
// listen (a listener could not be opened), panic, environment, other.

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import dgram from 'node:dgram';
import crypto from 'node:crypto';
import { spawn, spawnSync, execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const SELF = fileURLToPath(import.meta.url);
const HERE = path.dirname(SELF);
const sleep = (ms) => new Promise((ok) => setTimeout(ok, ms));
const API_PORT = 16443;

// ------------------------------------------------------------------ the author's environment, as stand-ins

const ENV = {
  ADDITIONAL_ZONES: 'extra.example', CACHE_TTL: '300', COREDNS_LISTEN_ADDR: '100.82.73.91', DNS_CACHE_DENIAL: '2500',
  DNS_CACHE_PREFETCH: '10', DNS_CACHE_SUCCESS: '5000', DNS_CACHE_TIME: '30', DNS_HEALTH_PORT: '8080',
  DNS_PROMETHEUS_PORT: '9153', DNS_UPSTREAM: '192.0.2.53', DOMAIN: 'example.org', ENABLE_IPV6: 'yes', HEALTH_PORT: '8080',
  LOG_CLASS: 'all', MY_HOST_IP: '127.0.0.1', NAMESPACE: 'default', NSID: 'ns1', PROMETHEUS_PORT: '9153',
  PUBLIC_RESOLVER: '192.0.2.53', READINESS_PORT: '8181', AWS_REGION: 'us-east-1', AWS_EC2_METADATA_DISABLED: 'true', TAILSCALE_CIDR: '100.64.0.0/10',
};
const ZONE = '@ 3600 IN SOA ns hostmaster 1 7200 3600 1209600 3600\n@ 3600 IN NS ns\nns 3600 IN A 127.0.0.1\n';
const HOSTS = '127.0.0.1 localhost\n';
const RESOLV = 'nameserver 192.0.2.53\n';
const RESOLVABLE = new Set(['dns.quad9.net', 'dns.google', 'cloudflare-dns.com', 'one.one.one.one', 'upstream.example']);

/** The stub resolver: 192.0.2.99 for a few public resolvers' names, NXDOMAIN for everything else. */
function stubAnswer(m) {
  if (m.length < 17 || m.readUInt16BE(4) !== 1) return null;
  const labels = [];
  let i = 12;
  while (i < m.length && m[i]) { labels.push(m.toString('latin1', i + 1, i + 1 + m[i])); i += m[i] + 1; }
  const known = RESOLVABLE.has(labels.join('.').toLowerCase()), isA = m.readUInt16BE(i + 1) === 1;
  const head = Buffer.from(m.subarray(0, 12));
  head.writeUInt16BE(known ? 0x8180 : 0x8183, 2);
  head.writeUInt16BE(known && isA ? 1 : 0, 6); head.writeUInt32BE(0, 8);
  return Buffer.concat([head, m.subarray(12, i + 5), ...(known && isA ? [Buffer.from('c00c000100010000003c0004c0000263', 'hex')] : [])]);
}
/** Runs in a network namespace of its own, behind a veth, so that port 53 stays free in the sandbox. */
async function stub() {
  const ip = (...a) => execFileSync('ip', a, { stdio: ['ignore', 'ignore', 'inherit'] });
  process.stdout.write('in\n');
  await new Promise((ok) => process.stdin.once('data', ok));
  ip('addr', 'add', '192.0.2.53/24', 'dev', 'eth1'); ip('link', 'set', 'eth1', 'up');
  const s = dgram.createSocket('udp4');
  s.on('message', (m, from) => { const a = stubAnswer(m); if (a) s.send(a, from.port, from.address); });
  s.bind(53, '192.0.2.53', () => process.stdout.write('up\n'));
  process.stdin.on('end', () => process.exit(0));
}

function der(tag, ...parts) {
  const body = Buffer.concat(parts);
  const n = body.length;
  const len = n < 128 ? [n] : n < 256 ? [0x81, n] : [0x82, n >> 8, n & 255];
  return Buffer.concat([Buffer.from([tag, ...len]), body]);
}
/** A self-signed certificate for localhost and 127.0.0.1 that is its own CA. */
function makeCert() {
  const oid = (hex) => der(6, Buffer.from(hex, 'hex'));
  const { privateKey, publicKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const alg = der(0x30, oid('2a8648ce3d040302'));
  const name = der(0x30, der(0x31, der(0x30, oid('550403'), der(0x0c, Buffer.from('localhost')))));
  const san = der(0x30, der(0x82, Buffer.from('localhost')), der(0x87, Buffer.from([127, 0, 0, 1])));
  const exts = der(0xa3, der(0x30,
    der(0x30, oid('551d13'), der(1, Buffer.from([255])), der(4, der(0x30, der(1, Buffer.from([255]))))),
    der(0x30, oid('551d11'), der(4, san))));
  const tbs = der(0x30, der(0xa0, der(2, Buffer.from([2]))), der(2, Buffer.from([1])), alg, name,
    der(0x30, der(0x17, Buffer.from('200101000000Z')), der(0x17, Buffer.from('491231235959Z'))), name,
    publicKey.export({ type: 'spki', format: 'der' }), exts);
  const cert = der(0x30, tbs, alg, der(3, Buffer.from([0]), crypto.sign('sha256', tbs, privateKey)));
  const pem = `-----BEGIN CERTIFICATE-----\n${cert.toString('base64').match(/.{1,64}/g).join('\n')}\n-----END CERTIFICATE-----\n`;
  return { cert: pem, key: privateKey.export({ type: 'pkcs8', format: 'pem' }) };
}
const kubeconfig = (tls) => JSON.stringify({ apiVersion: 'v1', kind: 'Config', 'current-context': 'c',
  clusters: [{ name: 'c', cluster: { server: `https://127.0.0.1:${API_PORT}`, 'certificate-authority-data': Buffer.from(tls.cert).toString('base64') } }],
  contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }], users: [{ name: 'u', user: { token: 't' } }] });

/** Files a Corefile names, with a stand-in of the right kind: Map path -> text (null: a directory). */
function standIns(text, tls) {
  const out = new Map();
  const put = (p, content) => { if (p && !/[{}$%<>"*`()]|__|^::/.test(p) && !out.has(p)) out.set(p, content); };
  for (const raw of text.split(/\r?\n/)) {
    const w = raw.replace(/(^|\s)#.*/, '').trim().split(/\s+/).map((t) => t.replace(/^"(.*)"$/, '$1'));
    if (w[0] === 'file' && w[1]) put(w[1], ZONE);
    if (w[0] === 'hosts' && w[1] && w[1] !== '{') put(w[1], HOSTS);
    if (w[0] === 'kubeconfig') put(w[1], kubeconfig(tls));
    if (w[0] === 'directory') put(w[1], null);
    if (w[0] === 'credentials') put(w[2], '[profile personal]\naws_access_key_id = A\naws_secret_access_key = B\n');
    if (w[0] === 'tls') w.slice(1).forEach((p, i, a) => { if (p !== '{') put(p, a.length > 1 && i === 1 ? tls.key : tls.cert); });
    if (w[0] === 'forward') w.slice(2).filter((p) => p.startsWith('/')).forEach((p) => put(p, RESOLV));
  }
  return out;
}

/** Placeholder -> value, first match wins; used by --record to fill "subst". */
const FILL = [
  [/^\{\{- \/\*/, ''], [/^%\{.*DOMAIN/, 'cluster.local'], [/APIServer/, 'endpoint http://127.0.0.1:8001'],
  [/UPSTREAM|Upstream/, '/etc/resolv.conf'], [/REVERSE_CIDRS/, 'in-addr.arpa ip6.arpa'], [/^STUBDOMAINS$/, ''],
  [/PILLAR__LOCAL|LOCAL_DNS|[lL]ocalDNSIP|LocalIP|IPAddress/, '169.254.20.10'],
  [/PILLAR__CLUSTER__DNS|CLUSTER_IP__/, '10.96.0.11'], [/DNS__SERVER|clusterIP|ClusterDNSServer|DNS_SVC_IP|DNSClusterIP/, '10.96.0.10'],
  [/\.Port/, '53'], [/CacheTTL/, '30'], [/\.TTL/, '5'], [/etcdEndpoints/, 'http://127.0.0.1:2379'], [/antrea/, 'fd00::1'],
  [/KUBECONFIG/, '/etc/coredns/kubeconfig'], [/SECRET_DOMAIN|privatezone/, 'example.org'], [/PERSONAL_DOMAIN/, 'personal.example'],
  [/^\$\{CLUSTER_DOMAIN/, 'cluster.example'], [/INGRESS_HOST/, '192.0.2.10'], [/NAMESERVERS|azureVip/, '192.0.2.53'],
  [/to be rewritten/, 'example'], [/[dD]omain|DOMAIN|DNS__DOMAIN/, 'cluster.local'],
];
const PLACEHOLDER = /\{\{[^}]*\}\}|__[A-Z_]+__|\$\{[^}]*\}|(?<!\{)\$[A-Za-z][A-Za-z_]*|%\{[^}]*\}%?|<[a-z][^>\n]*>|\b(?:CLUSTER_DOMAIN|REVERSE_CIDRS|UPSTREAMNAMESERVER|STUBDOMAINS|SECRET_DOMAIN)\b/g;
function substFor(text) {
  if (/^%s \{/m.test(text)) return [['%s {\n    forward . /', 'a.example {\n    forward . /'], ['%s {', 'b.example {'], ['%s', '192.0.2.53']];
  const out = [];
  for (const p of new Set(text.match(PLACEHOLDER) || [])) {
    const rule = FILL.find(([re]) => re.test(p));
    if (rule) out.push([p, rule[1]]);
  }
  return out.sort((a, b) => b[0].length - a[0].length);
}
const substitute = (text, pairs) => pairs.reduce((t, [a, b]) => t.split(a).join(b), text);

// ------------------------------------------------------------------ one sandbox

async function worker() {
  const send = (m) => new Promise((ok) => process.send(m, ok));
  const init = await new Promise((ok) => process.once('message', ok));
  const { lower, work } = init;
  const root = init.root;
  const sh = (cmd, ...args) => execFileSync(cmd, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const soft = (...a) => { try { sh(...a); } catch { /* an address lo already has */ } };
  sh('ip', 'link', 'set', 'lo', 'up');
  const resolver = spawn('unshare', ['-n', process.execPath, SELF, '--stub'], { stdio: ['pipe', 'pipe', 'inherit'], env: { PATH: process.env.PATH } });
  const said = () => new Promise((ok) => resolver.stdout.once('data', ok));
  await said();
  sh('ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth1');
  sh('ip', 'link', 'set', 'eth1', 'netns', String(resolver.pid));
  soft('ip', 'addr', 'add', '192.0.2.254/24', 'dev', 'eth0');
  soft('ip', 'link', 'set', 'eth0', 'up');
  const up = said();
  resolver.stdin.write('go\n');
  await up;
  // The new root: a tmpfs with the stand-ins, everything else bound from the host, level by level.
  sh('mount', '-t', 'tmpfs', 'tmpfs', root);
  const q = (p) => `'${p.replaceAll("'", "'\\''")}'`;
  const binds = [];
  const merge = (dir) => {
    const here = path.join('/', dir), there = path.join(root, dir), over = path.join(lower, dir);
    let names = [];
    try { names = fs.readdirSync(here, { withFileTypes: true }); } catch { /* not there, or not readable */ }
    const ours = new Set(fs.readdirSync(over));
    for (const d of names.sort((a) => (a.name === 'tmp' ? -1 : 1))) {
      const from = path.join(here, d.name), to = path.join(there, d.name);
      if (ours.has(d.name)) continue;
      if (d.isSymbolicLink()) { fs.symlinkSync(fs.readlinkSync(from), to); continue; }
      if (d.isDirectory()) fs.mkdirSync(to); else fs.writeFileSync(to, '');
      binds.push(`mount --rbind ${q(from)} ${q(to)} || :`);
    }
    for (const name of ours) {
      const to = path.join(there, name), mine = path.join(over, name);
      if (fs.statSync(mine).isDirectory()) { fs.mkdirSync(to); merge(path.join(dir, name)); } else fs.copyFileSync(mine, to);
    }
  };
  merge('');
  execFileSync('sh', { input: binds.join('\n'), stdio: ['pipe', 'ignore', 'ignore'] });
  const { start } = await import(path.join(HERE, 'fake-apiserver.mjs'));
  await start({ host: '127.0.0.1', port: API_PORT, tls: { key: init.tls.key, cert: init.tls.cert } });

  const sockets = () => {
    const out = [];
    for (const f of ['tcp', 'tcp6', 'udp', 'udp6']) {
      let t = '';
      try { t = fs.readFileSync(`/proc/net/${f}`, 'utf8'); } catch { continue; }
      for (const l of t.split('\n').slice(1)) {
        const w = l.trim().split(/\s+/);
        if (w.length < 4 || (f.startsWith('tcp') ? w[3] !== '0A' : w[3] !== '07')) continue;
        if (f === 'tcp' && w[1].endsWith(`:${API_PORT.toString(16).toUpperCase()}`)) continue;
        out.push(`${f} ${w[1]}`);
      }
    }
    return out.sort();
  };

  const runCase = async (job) => {
    const dir = path.join(work, `c${job.seq}`);
    fs.mkdirSync(dir, { recursive: true });
    for (const [name, content] of job.files) {
      const p = path.join(dir, name);
      if (!p.startsWith(dir)) continue;
      if (content === null) { fs.mkdirSync(p, { recursive: true }); continue; }
      fs.mkdirSync(path.dirname(p), { recursive: true });
      fs.writeFileSync(p, Buffer.from(content, 'base64'));
    }
    const corefile = path.join(dir, 'Corefile');
    fs.writeFileSync(corefile, Buffer.from(job.text, 'base64'));
    const argv = init.cmd.map((a) => a.replaceAll('{corefile}', corefile).replaceAll('{dir}', dir));
    const env = { ...process.env, ...ENV, KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: String(API_PORT), ...job.env };
    delete env.NODE_CHANNEL_FD;
    for (const k of job.unset || []) delete env[k];
    const addr = (verb) => { for (const a of job.addrs) soft('ip', 'addr', verb, a.includes(':') ? `${a}/128` : `${a}/32`, 'dev', 'lo'); };
    addr('add');
    const t0 = Date.now();
    const child = spawn('chroot', [root, '/bin/sh', '-c', 'cd "$1" && shift && exec "$@"', 'sh', dir, ...argv],
      { stdio: ['ignore', 'pipe', 'pipe'], env, detached: true });
    let out = '', err = '', exit = null;
    child.stdout.on('data', (d) => { if (out.length < 400000) out += d; });
    child.stderr.on('data', (d) => { if (err.length < 400000) err += d; });
    const closed = new Promise((ok) => child.on('close', (code, signal) => { exit = exit || { code, signal }; ok(); }));
    child.on('exit', (code, signal) => { exit = { code, signal }; });
    const re = init.ready ? new RegExp(init.ready, 'm') : null;
    let last = '', since = 0, up = '';
    while (!exit && Date.now() - t0 < init.timeout) {
      await sleep(25);
      if (re) {
        if (re.test(out) || re.test(err)) { await sleep(200); up = exit ? '' : 'ready'; break; }
      } else {
        const s = sockets().join(',');
        if (s !== last) { last = s; since = Date.now(); }
        if (s && Date.now() - since >= init.settle) { up = 'listening'; break; }
      }
    }
    const r = { ms: Date.now() - t0, sockets: exit ? [] : sockets() };
    if (exit) r.verdict = 'refuses';
    else { r.how = up || 'alive'; r.verdict = re && !up ? 'hangs' : 'accepts'; }
    if (!exit) { try { process.kill(-child.pid, 'SIGKILL'); } catch { child.kill('SIGKILL'); } }
    else r.exit = exit;
    await Promise.race([closed, sleep(3000)]);
    const trim = (s) => s.replaceAll(`${dir}/`, '').replaceAll(dir, '.');
    r.stdout = trim(out).slice(0, 20000);
    r.stderr = trim(err).slice(0, 20000);
    fs.rmSync(dir, { recursive: true, force: true });
    addr('del');
    return r;
  };
  process.on('message', async (job) => {
    if (job.quit) { resolver.kill(); process.exit(0); }
    let r;
    try { r = await runCase(job); } catch (e) { r = { verdict: 'broken', stderr: String(e.stack || e), stdout: '' }; }
    await send({ seq: job.seq, r });
  });
  await send({ up: true });
}

// ------------------------------------------------------------------ judging

const lines = (s) => s.split('\n').map((l) => l.trimEnd()).filter(Boolean);
/** Kind, plugin, message and line of a refusal. Tuned to CoreDNS's words; another server's are read the same way. */
export function classify(r) {
  const se = lines(r.stderr), so = lines(r.stdout);
  const panic = [...se, ...so].find((l) => /^panic: |^fatal error: |runtime error/.test(l));
  let error = panic || (se.length ? se.join('\n') : so.find((l) => /FATAL/.test(l)) || so.at(-1) || '');
  error = error.replace(/\b(127\.0\.0\.1|\[::1\]|192\.0\.2\.53):\d{5}\b/g, '$1:*').replace(/\d{15,20}\.\d{15,20}/g, '*.*');
  if (error.length > 500) error = `${error.slice(0, 500)} …`;
  const at = error.match(/([^\s:'"]+):(\d+) - (?:Error during parsing|Syntax error)/);
  const where = error.match(/plugin\/([a-z0-9_]+)/);
  const out = { reason: 'other', error };
  if (where) out.plugin = where[1];
  if (at) { out.line = Number(at[2]); if (!/(^|\/)Corefile$/.test(at[1])) out.in = at[1]; }
  const unknown = error.match(/Unknown directive '([^]*?)'$/m);
  if (panic) out.reason = 'panic';
  else if (unknown) { out.reason = 'plugin-unknown'; out.plugin = unknown[1]; }
  else if (/unknown (?:property|option|key|directive|policy option)|Unknown field|not a valid (?:property|option)|unknown .*property/i.test(error)) out.reason = 'option-unknown';
  else if (/File to import not found|Could not import|no such file or directory|not a directory|is a directory|unable to read|could not open|does not exist/i.test(error)) out.reason = 'missing-file';
  else if (/cannot serve |already defined|already declared|duplicate|can only be used once|only once|more than once/i.test(error)) out.reason = /previously declared snippet/.test(error) ? 'syntax' : 'duplicate';
  else if (/Wrong argument count|unexpected line ending|expecting argument/i.test(error)) out.reason = 'arguments';
  else if (/Unexpected (?:EOF|'}'|end)|Syntax error|Expected another address|previously declared snippet|import depth|Import (?:takes|requires)|Glob pattern|import pattern|matching opening brace|EOF/i.test(error)) out.reason = 'syntax';
  else if (/failed to resolve /.test(error)) out.reason = 'unresolvable';
  else if (/^Listen|listen (?:tcp|udp)/.test(error)) out.reason = /invalid port|unknown port/.test(error) ? 'bad-value' : 'listen';
  else if (/connection refused|network is unreachable|i\/o timeout|no such host|permission denied|no route to host|RequestError|request send failed|server misbehaving/i.test(error)) out.reason = 'environment';
  else if (where || /expecting data after last colon|too long|tls.Config not set|is not a (?:valid )?domain name|invalid|must be|missing port|too many colons|unknown port/i.test(error)) out.reason = 'bad-value';
  out.error = out.error.replace(/RequestID: .*/, 'RequestID: …');
  return out;
}
function verdictOf(r) {
  const out = { coredns: r.verdict };
  if (r.verdict === 'refuses') Object.assign(out, classify(r));
  else {
    const before = lines(r.stdout).slice(0, Math.max(0, lines(r.stdout).findIndex((l) => /^CoreDNS-/.test(l))));
    const serves = before.filter((l) => !/\[(?:INFO|WARNING|ERROR|DEBUG)\]|^maxprocs|^plugin\/|^Warning: /.test(l));
    if (/^CoreDNS-/m.test(r.stdout)) { serves.sort(); out.serves = serves.slice(0, 24).map((l) => l.slice(0, 200)); if (serves.length > 24) out.serves.push(`… ${serves.length} in all`); }
  }
  const warnings = lines(r.stdout).concat(lines(r.stderr)).filter((l) => /\[(WARNING|ERROR)\]|^Warning: /.test(l) && !(out.error || '').includes(l))
    .filter((l) => !/HINFO|"date":/.test(l)).map((l) => l.replace(/\b127\.0\.0\.1:\d{5}\b/g, '127.0.0.1:*').replace(/(Failed to watch): .*/, '$1: …').slice(0, 240)).filter((l, i, a) => a.indexOf(l) === i);
  if (warnings.length) out.warnings = warnings.slice(0, 6);
  return out;
}

// ------------------------------------------------------------------ main

function parseArgs(argv) {
  const O = { cmd: '', only: null, jobs: 4, timeout: 15000, settle: 700, ready: '', record: false, json: '', verbose: false, strict: false, known: '', paths: [] };
  for (let i = 0; i < argv.length; i++) {
    const a = argv[i];
    const need = () => { if (i + 1 >= argv.length) die(`missing value for ${a}`); return argv[++i]; };
    if (a === '--cmd') O.cmd = need();
    else if (a === '--only') O.only = new RegExp(need());
    else if (a === '--jobs') O.jobs = Math.max(1, Number(need()));
    else if (a === '--timeout') O.timeout = Number(need());
    else if (a === '--settle') O.settle = Number(need());
    else if (a === '--ready-regex') O.ready = need();
    else if (a === '--record') O.record = true;
    else if (a === '--json') O.json = need();
    else if (a === '--known') O.known = need();
    else if (a === '--verbose') O.verbose = true;
    else if (a === '--strict') O.strict = true;
    else if (a === '-h' || a === '--help') { console.log(fs.readFileSync(SELF, 'utf8').split('\n').filter((l) => l.startsWith('//')).map((l) => l.slice(3)).join('\n')); process.exit(0); }
    else if (a.startsWith('-')) die(`unknown option ${a}`);
    else O.paths.push(a);
  }
  if (!O.cmd) die("--cmd is needed, e.g. --cmd 'coredns -conf {corefile}'");
  if (!O.paths.length) O.paths = ['corefiles', 'corefiles-bad'].map((d) => path.join(HERE, d, 'index.json')).filter((p) => fs.existsSync(p));
  return O;
}
function die(msg) { console.error(`corefile-truth: ${msg}`); process.exit(2); }
function splitCmd(s) {
  const out = [];
  for (const m of s.matchAll(/"((?:\\.|[^"\\])*)"|'([^']*)'|(\S+)/g)) out.push(m[1] ?? m[2] ?? m[3]);
  if (out[0].includes('/')) out[0] = path.resolve(out[0]);
  return out.map((a, i) => (i && !a.includes('{') && a.includes('/') && fs.existsSync(a) ? path.resolve(a) : a));
}

function loadCases(O, tls) {
  const cases = [];
  const b64 = (x) => Buffer.from(x).toString('base64');
  const lower = new Map([['/etc/resolv.conf', RESOLV], ['/etc/coredns/kubeconfig', kubeconfig(tls)],
    ['/var/run/secrets/kubernetes.io/serviceaccount/token', 'token'], ['/var/run/secrets/kubernetes.io/serviceaccount/namespace', 'kube-system'],
    ['/var/run/secrets/kubernetes.io/serviceaccount/ca.crt', tls.cert], ['/var/run/secrets/kubernetes.io/serviceaccount/tls.key', tls.key]]);
  const indexes = [];
  for (const p of O.paths) {
    const entries = JSON.parse(fs.readFileSync(p, 'utf8'));
    indexes.push({ path: p, entries });
    const prefix = path.basename(path.dirname(p)) === 'corefiles' ? '' : `${path.basename(path.dirname(p)).replace(/^corefiles-/, '')}/`;
    for (const e of entries) {
      const raw = fs.readFileSync(path.join(path.dirname(p), e.file));
      const id = prefix + (prefix ? e.file.replace(/\.corefile$/, '') : e.n);
      const add = (suffix, field, buf, asOverride) => {
        const files = new Map();
        for (const [n, c] of Object.entries(e.files || {})) files.set(n, c === null ? null : c === '{cert}' ? tls.cert : c === '{key}' ? tls.key : c === '{zone}' ? ZONE : c);
        if (e.standins !== false) for (const [n, c] of standIns(buf.toString('utf8'), tls)) { if (n.startsWith('/')) lower.set(n, c); else if (!files.has(n)) files.set(n, c); }
        const addrs = new Set(buf.includes('{$COREDNS_LISTEN_ADDR}') ? [ENV.COREDNS_LISTEN_ADDR] : []);
        for (const m of buf.toString('utf8').matchAll(/^[ \t]*(?:bind|health|ready|prometheus|pprof)[ \t]+([^\n]*)/gm)) {
          for (const a of m[1].matchAll(/\d{1,3}(?:\.\d{1,3}){3}|\b[0-9a-f]{1,4}:[0-9a-f:]+/g)) if (!/^(0\.0\.0\.0|127\.)/.test(a[0])) addrs.add(a[0]);
        }
        let text = buf;
        if (asOverride) { files.set('custom/fragment.override', buf); text = Buffer.from('.:53 {\n    import custom/*.override\n}\n'); }
        const one = { id: id + suffix, entry: e, field, text: text.toString('base64'), env: e.env || {}, unset: e.unset || [], addrs: e.noaddr ? [] : [...addrs],
          files: [...files].map(([n, c]) => [n, c === null ? null : b64(c)]) };
        if (!O.only || O.only.test(one.id)) cases.push(one);
      };
      const over = e.fragment === 'override';
      add('', null, raw, over);
      if (over) add(':alone', 'alone', raw, false);
      const subst = e.subst || (O.record && (e.form === 'placeholder') ? substFor(raw.toString('utf8')) : null);
      if (subst && subst.length) {
        if (O.record) e.subst = subst;
        add(':subst', 'substituted', Buffer.from(substitute(raw.toString('utf8'), subst)), over);
      }
    }
  }
  return { cases, lower, indexes };
}

async function main() {
  const O = parseArgs(process.argv.slice(2));
  const tls = makeCert();
  const { cases, lower, indexes } = loadCases(O, tls);
  if (!cases.length) die('no case matches');
  const flags = process.getuid && process.getuid() === 0 ? ['-n', '-m'] : ['-r', '-n', '-m'];
  const probe = spawnSync('unshare', [...flags, 'true']);
  if (probe.status !== 0) die(`unshare ${flags.join(' ')} is not permitted here; there is no other isolation, so nothing was run`);
  const base = fs.mkdtempSync(path.join(os.tmpdir(), 'corefile-truth-'));
  const cmd = splitCmd(O.cmd);
  const low = path.join(base, 'lower');
  for (const [p, c] of lower) {
    const f = path.join(low, p);
    if (c === null) { fs.mkdirSync(f, { recursive: true }); continue; }
    fs.mkdirSync(path.dirname(f), { recursive: true });
    fs.writeFileSync(f, c);
  }
  const results = new Map();
  let next = 0, done = 0;
  const workers = [];
  const cleanup = () => { for (const w of workers) { try { w.kill('SIGKILL'); } catch { /* gone */ } } fs.rmSync(base, { recursive: true, force: true }); };
  process.on('SIGINT', () => { cleanup(); process.exit(130); });
  await Promise.all(Array.from({ length: Math.min(O.jobs, cases.length) }, async (_, k) => {
    const root = path.join(base, `root${k}`), work = path.join(base, `work${k}`);
    fs.mkdirSync(root); fs.mkdirSync(work);
    const w = spawn('unshare', [...flags, process.execPath, SELF, '--worker'], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    workers.push(w);
    const reply = () => new Promise((ok, ko) => { w.once('message', ok); w.once('exit', () => ko(new Error('a sandbox died'))); });
    w.send({ root, lower: low, work, tls, cmd, ready: O.ready, timeout: O.timeout, settle: O.settle });
    await reply();
    while (next < cases.length) {
      const seq = next++;
      const c = cases[seq];
      w.send({ seq, text: c.text, files: c.files, env: c.env, unset: c.unset, addrs: c.addrs });
      const { r } = await reply();
      w.removeAllListeners('exit');
      results.set(c.id, { c, r, v: verdictOf(r) });
      if (O.verbose) console.log(`${c.id}  ${r.verdict}${r.how ? ` (${r.how})` : ''} ${r.ms} ms  ${results.get(c.id).v.error || ''}`);
      else if (++done % 50 === 0) console.error(`${done}/${cases.length}`);
    }
    w.send({ quit: true });
  })).catch((e) => { cleanup(); throw e; });
  cleanup();
  if (O.json) fs.writeFileSync(O.json, JSON.stringify(cases.map((c) => { const x = results.get(c.id); return { id: c.id, ...x.v, ms: x.r.ms, how: x.r.how, sockets: x.r.sockets, exit: x.r.exit, stdout: x.r.stdout, stderr: x.r.stderr }; }), null, 1));
  if (O.record) record(indexes, cases, results);
  else compare(O, cases, results);
}

function record(indexes, cases, results) {
  const fields = ['coredns', 'reason', 'plugin', 'error', 'line', 'in', 'serves', 'warnings'];
  for (const c of cases) {
    const { v } = results.get(c.id);
    if (!c.field) for (const f of ['as', 'alone', 'substituted']) delete c.entry[f];
    const target = c.field ? (c.entry[c.field] = {}) : c.entry;
    for (const f of fields) { delete target[f]; if (v[f] !== undefined) target[f] = v[f]; }
    if (!c.field && c.entry.fragment === 'override') c.entry.as = 'override';
  }
  for (const { path: p, entries } of indexes) fs.writeFileSync(p, `[\n${entries.map((e) => JSON.stringify(e, null, 0)).join(',\n')}\n]\n`);
  const count = {};
  for (const c of cases) { const { v } = results.get(c.id); const k = `${c.field || 'as is'}: ${v.coredns}${v.reason ? ` (${v.reason})` : ''}`; count[k] = (count[k] || 0) + 1; }
  for (const k of Object.keys(count).sort()) console.log(String(count[k]).padStart(5), k);
}

function compare(O, cases, results) {
  const known = O.known ? JSON.parse(fs.readFileSync(O.known, 'utf8')) : {};
  let n = 0, same = 0, skipped = 0, accepted = 0, lineN = 0, lineSame = 0, pluginN = 0, pluginSame = 0;
  const diffs = [], lineDiffs = [], excused = [];
  for (const c of cases) {
    const want = c.field ? c.entry[c.field] : c.entry;
    if (!want || !want.coredns || want.coredns === 'hangs' || want.reason === 'environment') { skipped++; continue; }
    const { v, r } = results.get(c.id);
    n++;
    if (v.coredns === want.coredns) {
      same++;
      if (v.coredns === 'accepts') accepted++;
      if (v.coredns === 'refuses' && want.line) { lineN++; if (v.line === want.line) lineSame++; else lineDiffs.push(`${c.id}  line ${want.line}, here ${v.line ?? 'none'}: ${(v.error || '').split('\n')[0].slice(0, 140)}`); }
      if (v.coredns === 'refuses' && want.plugin) { pluginN++; if ((v.error || '').includes(want.plugin)) pluginSame++; }
    } else if (known[c.id]) { same++; excused.push(`${c.id}  ${known[c.id]}`); }
    else diffs.push(`${c.id}  CoreDNS ${want.coredns}${want.reason ? ` (${want.reason}${want.line ? `, line ${want.line}` : ''})` : ''}, here ${v.coredns}\n      ${c.entry.what || c.entry.path}\n      CoreDNS: ${(want.error || '-').split('\n')[0].slice(0, 160)}\n      here:    ${(v.error || r.stderr || '-').split('\n')[0].slice(0, 160)}`);
  }
  if (diffs.length) console.log(`Verdicts that differ:\n  ${diffs.join('\n  ')}`);
  if (lineDiffs.length && (O.verbose || O.strict)) console.log(`Line numbers that differ:\n  ${lineDiffs.join('\n  ')}`);
  if (excused.length) console.log(`Known differences:\n  ${excused.join('\n  ')}`);
  const pc = (a, b) => `${a}/${b}${b ? ` (${(100 * a / b).toFixed(1)}%)` : ''}`;
  console.log(`verdict agrees: ${pc(same, n)}; of them accepted by both ${accepted}; not compared ${skipped} (environment or no verdict)`);
  console.log(`refused by both, same line: ${pc(lineSame, lineN)}; message names the same plugin: ${pc(pluginSame, pluginN)}`);
  process.exit(diffs.length || (O.strict && lineDiffs.length) ? 1 : 0);
}

if (process.argv[2] === '--worker') await worker();
else if (process.argv[2] === '--stub') await stub();
else if (process.argv[1] && path.resolve(process.argv[1]) === SELF) await main();
