#!/usr/bin/env node
// Black-box runner for the DNS server vectors.
//
//   node run-vectors.mjs --cmd 'coredns -conf {corefile}' [options] [FILE|DIR ...]
//
//   FILE|DIR defaults to all of vectors/: kubernetes/ holds the kubernetes plugin and its family, network/ forward, cache,
//   log, errors, metrics, health, reload, server blocks, transports, flags and signals, plugins/ the others, own/ options
//   that CoreDNS does not have.
//
//   --cmd TEMPLATE   how to start the server under test; {corefile} {port} {dir} are replaced.
//                    Split on blanks, quotes respected, no shell.
//   --only REGEX     run only queries whose full id (vector/query) matches
//   --tag T / --skip-tag T   run only / leave out queries (or whole vectors) that carry this tag
//   --known FILE     known differences: JSON ({"id":"reason"} or ["id"]) or text, one id per line (# comment)
//   --json OUT       write all results as JSON
//   --jobs N         vectors in parallel (default 1)
//   --timeout MS     per-query timeout (default 3000);  --ready MS  start-up limit (default 15000)
//   --verbose        print passing queries' answers and the server's output;  --keep  keep temp dirs
//   --list           print the ids and stop;  --quiet  print only failures and the summary
//
// Exit status 0 only if every query that ran (known differences aside) passed.
//
// VECTOR FILE (JSON object, or an array of them)
//   name, description, source[]      identification; name is unique
//   tags[]        e.g. "quirk" (CoreDNS oddity: a better server may differ), "log" (reads the server's output)
//   requires[]    "local4" / "local6": skip unless this host has a non-loopback address of that family;
//                 "port53": skip unless 127.0.0.77:53 can be bound;  "ipv6": unless ::1 can be bound
//   corefile      text; placeholders {port} {api} {upstream} {dir} {local4} {local6}
//   files         {name: text} written next to the Corefile (same placeholders)
//   objects[]     Kubernetes manifests for the fake API server (same placeholders in strings)
//   api           {watchList:false, mcs:false, bookmarkMs, token, hang:true, fail:{status,...}}
//   upstream      {records:["name ttl class type rdata"], aa, nxSOA:"rr", rcodes:{name:"SERVFAIL"}, truncate:[name]}
//                 stub resolver: follows CNAMEs in its own records, NXDOMAIN for unknown names, RA set. Further keys:
//                 any:["ttl class type rdata"] (for every name)  truncateEmpty  flags:{ad,cd,ra,..} (forced in replies)
//                 edns:false (no OPT)  ednsOptions:[{code,data}]  delay: ms or {name:ms}  down:true (nothing listens)
//                 faults:{name|"*": silent|close|badid|badid-first|badquestion|noquestion|short|cut|query|twice|then-close,
//                 with "/udp" or "/tcp" appended: only there}  listen:"ADDR@PORT"  tls:true (DNS over TLS)  doh:true, dohStatus
//   upstreams     {NAME: conf} further stubs, {upstream:NAME} is the address with port, {upstream:NAME.port} the port
//   ports[]       names of further free ports, {port:NAME}
//   tls           true: {dir}/cert.pem key.pem ca.pem for localhost, 127.0.0.1, ::1 and dns.test (needs openssl)
//   setup[]       actions before the start (write, link)
//   args[]        start with these words instead of "-conf ..." (the --cmd template must hold " -conf ")
//   stdin, env    text for standard input; further environment variables.  cwd:true  start in {dir}
//   ready         {name,type} polled until it is answered with something else than SERVFAIL; {any:true}: any answer;
//                 {answers:true}: until the answer section is not empty;  {log:regex}: until the output matches;
//                 {port:NAME} another port;  {transport,to} as in queries
//   startup       "fail": the server must exit by itself with a non-zero status (no queries are sent)
//                 "none": do not wait for readiness (for vectors about exit codes)
//   queries[]     {id, name, type, class?, transport:"udp"|"tcp", from?, flags:{rd,cd,ad}, opcode?,
//                  edns:{udp,do,version,options:[{code,data(hex)}]}, serial? (IXFR: number or "current"),
//                  before:[action...], within?: ms (retry until it passes), note, tags[], expect:{...}}
//                 port:NAME, to:ADDR      another port / address than {port} and 127.0.0.1
//                 transport also "tls", "doh" (with doh:{method,h2,plain,path}), "grpc";  hex: send these bytes instead
//                 timeout: ms;  repeat:N one after the other;  burst:N at once ("{n}" in the name counts)
//   other checks  an entry without name is not a query but one of
//                 http:{port,path,method,headers,body,tls}    expect.status, body (regex), bodyIs, headers:{name:regex|null}, refused
//                 metrics:PORT    expect.metrics / delta: {"name{label=value}": number|[min,max]|"*"|null (absent)}; the sum of
//                                 all series with these labels; delta counts from {scrape:PORT}.  labels:{metric:[names]}
//                                 (exactly these, le aside)  types:{metric:"counter"}  buckets:{metric:["0.001",...,"+Inf"]}
//                 script:{port,tls,steps}  one TCP connection; steps {query:{..}|[..] (one write), split:bytes, gap:ms} {hex} {sleep}
//                                 {recv:total,timeout} {closed:ms} {end:true}.  expect.order:[query index..], count, responses:[expect..],
//                                 closed:true|false, closedMs:[min,max] (since the last byte sent or received)
//                 check:true|ms   only the common expectations below, for what happens in so many ms
//   during[]      actions that run while the query is under way;  mayExit:true  the server may be gone after this check
//   actions       {write:{name:text}} (rename into place) {remove:name} {link:{name:target}} {corefile:text} {signal:"SIGTERM"}
//                 {stub:{NAME|"":conf changes, hangup:true}} {ask:{query.., background:true}} {scrape:PORT} {waitLog:regex}
//                 {waitExit:ms}
//                 {apply:[objs]} {delete:ref} {dropWatches:{}} {gone:{http}} {fail:{}} {clearFail:true}
//                 {hang:{on}} {bookmark:true} {sleep:ms} {waitWatchers:["services",...]}
//   expect        rcode, aa, ra, ad, tc (default false), answer[], authority[], additional[]  (missing = empty, "*" = any)
//                 OPT is never part of additional; edns: {udp,do,version,options[]} or null. Without expect.edns an
//                 OPT must be present exactly when the query had one.
//                 RRs are "name ttl class type rdata", compared lower-cased and without order; any field may be "*",
//                 ttl may be a range "25-30".
//                 "{each:local4}" / "{each:local6}" / "{each:local}" repeat the RR per local address.
//                 case:"exact"   compare letter case;  ordered:true  compare order;  set:true  ignore duplicates
//                 minAnswers:N, maxAnswers:N,  oneOf:[expect,...] (alternatives),  noResponse:true,  log:[regex],
//                 apiWatched:[resource], apiNotRequested:[resource]
//                 rcodes:{NOERROR:number|[min,max]}  counts over repeat or burst (nothing else is compared then)
//                 common to all checks: ms:[min,max], log:[regex] and noLog:[regex] (output during the check), stdout:[regex],
//                 stderr:[regex] (whole stream), notStdout:[regex], file:{name: regex|null}, alive:true,
//                 exit: status, "!0" (any but 0) or a signal name (waits up to exitWithin, 10000 ms),  exitMs:[min,max] since the last {signal}
//                 upstream:{NAME|"": number|[min,max]}  queries that reached this stub during the check, those for "." left out;
//                 "NAME ." counts only those for "." and "NAME example.org." those for that name
//                 seen:[{to,proto,conn,from,name,type,rd,ad,cd,edns:null|{udp,do,options}}]  these queries, in order of arrival

import fs from 'node:fs';
import os from 'node:os';
import net from 'node:net';
import path from 'node:path';
import dgram from 'node:dgram';
import { spawn, execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { start as startApi } from './fake-apiserver.mjs';
import { startUpstream } from './stub-upstream.mjs';
import { askTLS, askDoH, askGRPC, runScript, httpCheck, parseMetrics, sumSeries, labelSets, buckets } from './net-client.mjs';
import { encodeMessage, decodeMessage, parseRR, rrText, rcodeName, rcodeNumber, ipv6ToBytes, ipv6FromBytes } from './dnswire.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const sleep = (ms) => new Promise((ok) => setTimeout(ok, ms));

// ---------------------------------------------------------------- options

const argv = process.argv.slice(2);
const O = { cmd: '', only: null, tag: [], skipTag: [], known: '', json: '', jobs: 1, timeout: 3000, ready: 15000, verbose: false, keep: false, list: false, quiet: false, paths: [] };
for (let i = 0; i < argv.length; i++) {
  const a = argv[i];
  const need = () => { if (i + 1 >= argv.length) die(`missing value for ${a}`); return argv[++i]; };
  switch (a) {
    case '--cmd': O.cmd = need(); break;
    case '--only': O.only = new RegExp(need()); break;
    case '--tag': O.tag.push(need()); break;
    case '--skip-tag': O.skipTag.push(need()); break;
    case '--known': O.known = need(); break;
    case '--json': O.json = need(); break;
    case '--jobs': O.jobs = Math.max(1, Number(need())); break;
    case '--timeout': O.timeout = Number(need()); break;
    case '--ready': O.ready = Number(need()); break;
    case '--verbose': O.verbose = true; break;
    case '--keep': O.keep = true; break;
    case '--list': O.list = true; break;
    case '--quiet': O.quiet = true; break;
    case '-h': case '--help': printHelp(); process.exit(0); break;
    default: if (a.startsWith('-')) die(`unknown option ${a}`); O.paths.push(a);
  }
}
function printHelp() {
  const lines = fs.readFileSync(fileURLToPath(import.meta.url), 'utf8').split('\n').slice(1);
  console.log(lines.slice(0, lines.findIndex((l) => !l.startsWith('//'))).map((l) => l.replace(/^\/\/ ?/, '')).join('\n'));
}
function die(msg) { console.error(`run-vectors: ${msg}`); process.exit(2); }

// ---------------------------------------------------------------- local addresses

function localAddresses() {
  const v4 = new Set(), v6 = new Set();
  try {
    for (const link of JSON.parse(execFileSync('ip', ['-j', 'addr'], { encoding: 'utf8' }))) {
      for (const a of link.addr_info || []) {
        if (a.family === 'inet') v4.add(a.local);
        if (a.family === 'inet6') v6.add(a.local);
      }
    }
  } catch {
    for (const list of Object.values(os.networkInterfaces())) {
      for (const a of list) (a.family === 'IPv4' ? v4 : v6).add(a.address.split('%')[0]);
    }
  }
  const canon6 = [...v6].map((a) => ipv6FromBytes(ipv6ToBytes(a)));
  return { local4: [...v4].filter((a) => !a.startsWith('127.')), local6: [...new Set(canon6)].filter((a) => a !== '::1') };
}
const LOCAL = localAddresses();
LOCAL.local = [...LOCAL.local4, ...LOCAL.local6];

// ---------------------------------------------------------------- loading

function loadVectors() {
  const roots = O.paths.length ? O.paths : ['kubernetes', 'network', 'plugins'].map((d) => path.join(HERE, 'vectors', d));
  const files = [];
  for (const r of roots) {
    if (fs.statSync(r).isDirectory()) files.push(...fs.readdirSync(r).filter((f) => f.endsWith('.json')).sort().map((f) => path.join(r, f)));
    else files.push(r);
  }
  const out = [];
  const seen = new Set();
  for (const f of files) {
    let doc;
    try { doc = JSON.parse(fs.readFileSync(f, 'utf8')); } catch (e) { die(`${f}: ${e.message}`); }
    for (const v of Array.isArray(doc) ? doc : [doc]) {
      v.file = path.relative(process.cwd(), f);
      if (seen.has(v.name)) die(`${f}: duplicate vector name ${v.name}`);
      seen.add(v.name);
      const ids = new Set();
      if (v.startup === 'fail') v.queries = [{ id: 'startup', expect: {}, tags: [] }];
      for (const q of v.queries) {
        if (ids.has(q.id)) die(`${f}: duplicate query id ${v.name}/${q.id}`);
        ids.add(q.id);
        q.full = `${v.name}/${q.id}`;
        q.tags = [...(v.tags || []), ...(q.tags || [])];
      }
      out.push(v);
    }
  }
  return out;
}

function loadKnown() {
  if (!O.known) return new Map();
  const text = fs.readFileSync(O.known, 'utf8');
  try {
    const doc = JSON.parse(text);
    if (Array.isArray(doc)) return new Map(doc.map((x) => (typeof x === 'string' ? [x, ''] : [x.id, x.reason || ''])));
    const m = doc.known || doc;
    return new Map(Object.entries(m));
  } catch {
    return new Map(text.split('\n').map((l) => l.trim()).filter((l) => l && !l.startsWith('#')).map((l) => { const [id, ...r] = l.split(/\s+/); return [id, r.join(' ').replace(/^#\s*/, '')]; }));
  }
}

function substitute(value, vars) {
  if (typeof value === 'string') return value.replace(/\{((?:port|upstream)(?::[\w.-]+)?|api|dir|pid|local4|local6)\}/g, (m, k) => (vars[k] !== undefined ? vars[k] : m));
  if (Array.isArray(value)) return value.map((x) => substitute(x, vars));
  if (value && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([k, x]) => [k, substitute(x, vars)]));
  return value;
}

// ---------------------------------------------------------------- the DNS client

let nextId = Math.floor(Math.random() * 65536);

function buildQuery(q, serial) {
  nextId = (nextId + 1) & 0xffff;
  const m = {
    id: nextId, opcode: q.opcode || 0, rd: q.flags?.rd ?? true, cd: q.flags?.cd ?? false, ad: q.flags?.ad ?? false,
    questions: [{ name: q.name, type: q.type, class: q.class || 'IN' }], edns: q.edns || null,
  };
  if (String(q.type).toUpperCase() === 'IXFR') {
    m.authorities = [{ name: q.name, ttl: 0, class: 'IN', type: 'SOA', rdata: `. . ${serial ?? 1} 0 0 0 0` }];
  }
  return m;
}

function wire(m) { // q.hex replaces everything after the message id
  if (!m.hex) return encodeMessage(m);
  const b = Buffer.from(m.hex.replace(/\s+/g, ''), 'hex');
  if (b.length >= 2) b.writeUInt16BE(m.id, 0);
  return b;
}

function askUDP(port, m, timeout, from, to = '127.0.0.1') {
  return new Promise((resolve) => {
    const s = dgram.createSocket(to.includes(':') ? 'udp6' : 'udp4');
    let done = false;
    const finish = (r) => { if (done) return; done = true; clearTimeout(t); try { s.close(); } catch { /* closed */ } resolve(r); };
    const t = setTimeout(() => finish({ timeout: true }), timeout);
    s.on('error', (e) => finish({ error: e.message }));
    s.on('message', (b) => {
      if (b.length < 2 || b.readUInt16BE(0) !== m.id) return;
      try { finish({ msg: decodeMessage(b) }); } catch (e) { finish({ error: `undecodable response: ${e.message}` }); }
    });
    s.bind(0, from || (to.includes(':') ? '::1' : '127.0.0.1'), () => s.send(wire(m), port, to));
  });
}

function askTCP(port, m, timeout, from, xfr, to = '127.0.0.1') {
  return new Promise((resolve) => {
    let acc = Buffer.alloc(0);
    const msgs = [];
    let done = false;
    let idle = null;
    const s = net.connect({ port, host: to, localAddress: from || (to.includes(':') ? '::1' : '127.0.0.1') });
    const finish = (r) => { if (done) return; done = true; clearTimeout(t); clearTimeout(idle); s.destroy(); resolve(r); };
    const conclude = (why) => {
      if (!msgs.length) return finish(why);
      const first = msgs[0];
      if (msgs.length > 1) {
        first.answers = msgs.flatMap((x) => x.answers);
        first.authorities = msgs.flatMap((x) => x.authorities);
        first.additionals = msgs.flatMap((x) => x.additionals);
        first.rcode = msgs.find((x) => x.rcode)?.rcode || 0;
      }
      first.messages = msgs.length;
      finish({ msg: first });
    };
    const t = setTimeout(() => conclude({ timeout: true }), timeout);
    s.on('error', (e) => conclude({ error: e.message }));
    s.on('close', () => conclude({ error: 'connection closed without an answer' }));
    s.on('connect', () => { const b = wire(m); const h = Buffer.alloc(2); h.writeUInt16BE(b.length); s.write(Buffer.concat([h, b])); });
    s.on('data', (d) => {
      acc = Buffer.concat([acc, d]);
      while (acc.length >= 2 && acc.length >= 2 + acc.readUInt16BE(0)) {
        const n = acc.readUInt16BE(0);
        const b = acc.subarray(2, 2 + n);
        acc = acc.subarray(2 + n);
        if (b.length < 2 || b.readUInt16BE(0) !== m.id) continue;
        try { msgs.push(decodeMessage(b)); } catch (e) { return finish({ error: `undecodable response: ${e.message}` }); }
      }
      if (!msgs.length) return;
      if (!xfr || msgs[0].rcode) return conclude();
      const all = msgs.flatMap((x) => x.answers);
      if (all.length > 1 && all[all.length - 1].type === 'SOA') return conclude();
      clearTimeout(idle);
      idle = setTimeout(() => conclude(), all.length <= 1 ? 400 : timeout);
    });
  });
}

async function ask(port, q, timeout, retryUDP = true) {
  let serial = q.serial;
  if (serial === 'current') {
    const soa = await ask(port, { name: q.name, type: 'SOA', transport: 'tcp' }, timeout);
    serial = Number(soa.msg?.answers.find((r) => r.type === 'SOA')?.rdata.split(/\s+/)[2] ?? 0);
  }
  const m = buildQuery(q, serial);
  if (q.hex) m.hex = q.hex;
  const xfr = /^[AI]XFR$/i.test(q.type);
  const to = q.to || '127.0.0.1';
  if (q.transport === 'tcp') return { sent: m, ...(await askTCP(port, m, timeout, q.from, xfr, to)) };
  if (q.transport === 'tls') return { sent: m, ...(await askTLS(port, m, timeout, to, q.tlsOptions)) };
  if (q.transport === 'doh') return { sent: m, ...(await askDoH(port, m, timeout, to, q.doh)) };
  if (q.transport === 'grpc') return { sent: m, ...(await askGRPC(port, m, timeout, to, q.doh)) };
  let r = await askUDP(port, m, timeout, q.from, to);
  if (r.timeout && retryUDP) r = await askUDP(port, m, timeout, q.from, to);
  return { sent: m, ...r };
}

// ---------------------------------------------------------------- comparison

function normRR(text, exact) {
  const w = text.trim().split(/\s+/);
  let [name, ttl, cls, type, ...rest] = w;
  type = (type || '').toUpperCase();
  let rdata = rest.join(' ');
  if (type === 'AAAA' && rdata !== '*') { try { rdata = ipv6FromBytes(ipv6ToBytes(rdata)); } catch { /* leave it */ } }
  if (!exact) { name = name.toLowerCase(); rdata = rdata.toLowerCase(); }
  return `${name} ${ttl} ${(cls || '').toLowerCase()} ${type.toLowerCase()} ${rdata}`;
}

const isPattern = (want) => want.includes('*') || /^\S+ \d+-\d+ /.test(want);

function rrMatches(want, got) {
  if (want === got) return true;
  if (!isPattern(want)) return false;
  const a = want.split(' '), b = got.split(' ');
  if (a.length !== b.length && a[a.length - 1] !== '*') return false;
  for (let i = 0; i < a.length; i++) {
    if (a[i] === '*') { if (i === a.length - 1) return b.length > i; continue; }
    const range = i === 1 && /^(\d+)-(\d+)$/.exec(a[i]);
    if (range ? !(Number(b[i]) >= Number(range[1]) && Number(b[i]) <= Number(range[2])) : a[i] !== b[i]) return false;
  }
  return true;
}

function expandEach(list, vars) {
  const out = [];
  for (const s of list) {
    const m = /\{each:(local4|local6|local)\}/.exec(s);
    if (m) for (const ip of LOCAL[m[1]]) out.push(s.replace(m[0], ip));
    else out.push(substitute(s, vars));
  }
  return out;
}

function compareSection(label, want, got, e, vars, diffs) {
  if (want === '*') return;
  let w = expandEach(want || [], vars).map((s) => normRR(s, e.case === 'exact'));
  let g = got.map((r) => normRR(rrText(r), e.case === 'exact'));
  if (e.set) { w = [...new Set(w)]; g = [...new Set(g)]; }
  if (e.ordered) {
    for (let i = 0; i < Math.max(w.length, g.length); i++) {
      if (w[i] === undefined || g[i] === undefined || !rrMatches(w[i], g[i])) {
        diffs.push(`${label}[${i}]: want ${w[i] ?? '(nothing)'}\n${' '.repeat(label.length + 5)}got  ${g[i] ?? '(nothing)'}`);
      }
    }
    return;
  }
  const left = [...g];
  const missing = [];
  for (const x of [...w].sort((p, q) => (isPattern(p) ? 1 : 0) - (isPattern(q) ? 1 : 0))) {
    let i = left.indexOf(x);
    if (i < 0) i = left.findIndex((y) => rrMatches(x, y));
    if (i < 0) missing.push(x); else left.splice(i, 1);
  }
  for (const x of missing.sort()) diffs.push(`${label}: - ${x}`);
  for (const x of left.sort()) diffs.push(`${label}: + ${x}`);
}

function compare(q, r, e, vars) {
  if (e.oneOf) {
    let best = null;
    for (const alt of e.oneOf) {
      const d = compare(q, r, { ...e, oneOf: undefined, ...alt }, vars);
      if (!d.length) return [];
      if (!best || d.length < best.length) best = d;
    }
    return best;
  }
  const diffs = [];
  if (e.noResponse) {
    if (r.msg) diffs.push(`expected no response, got ${rcodeName(r.msg.rcode)}`);
    return diffs;
  }
  if (r.timeout) return ['no response (timeout)'];
  if (r.error) return [r.error];
  const m = r.msg;
  const flag = (name, want, got) => { if (want !== undefined && want !== null && want !== got) diffs.push(`${name}: want ${want}, got ${got}`); };
  if (!m.qr) diffs.push('QR bit not set');
  if (e.rcode !== '*') flag('rcode', e.rcode, rcodeName(m.rcode));
  flag('aa', e.aa, m.aa);
  flag('ra', e.ra, m.ra);
  flag('ad', e.ad, m.ad);
  flag('cd', e.cd, m.cd);
  if (e.tc !== '*') flag('tc', e.tc ?? false, m.tc);
  flag('rd', e.rd ?? r.sent.rd, m.rd);
  if (m.trailing) diffs.push(`${m.trailing} bytes after the last record`);
  const sq = r.sent.questions[0];
  const gq = m.questions[0];
  const same = (a, b) => (e.case === 'exact' ? a === b : a.toLowerCase() === b.toLowerCase());
  const wantName = q.name.endsWith('.') ? q.name : `${q.name}.`;
  if (e.question !== '*' && (!gq || !same(gq.name, wantName) || gq.type !== String(sq.type).toUpperCase())) {
    diffs.push(`question: want ${wantName} ${sq.type}, got ${gq ? `${gq.name} ${gq.type}` : '(none)'}`);
  }
  compareSection('answer', e.answer, m.answers, e, vars, diffs);
  compareSection('authority', e.authority, m.authorities, e, vars, diffs);
  compareSection('additional', e.additional, m.additionals, e, vars, diffs);
  if (e.minAnswers !== undefined && m.answers.length < e.minAnswers) diffs.push(`answer: want at least ${e.minAnswers} records, got ${m.answers.length}`);
  if (e.maxAnswers !== undefined && m.answers.length > e.maxAnswers) diffs.push(`answer: want at most ${e.maxAnswers} records, got ${m.answers.length}`);
  if (e.maxSize !== undefined && m.size > e.maxSize) diffs.push(`size: want at most ${e.maxSize} bytes, got ${m.size}`);
  if (/^AXFR$/i.test(q.type) && e.rcode === 'NOERROR' && m.answers.length) {
    if (m.answers[0].type !== 'SOA') diffs.push(`transfer starts with ${m.answers[0].type}, not SOA`);
    if (m.answers.length > 1 && m.answers[m.answers.length - 1].type !== 'SOA') diffs.push('transfer does not end with SOA');
  }
  if (e.edns === undefined) {
    if (!!m.edns !== !!r.sent.edns && !/XFR$/i.test(q.type)) diffs.push(`OPT: want ${r.sent.edns ? 'present' : 'absent'}, got ${m.edns ? 'present' : 'absent'}`);
  } else if (e.edns === null) {
    if (m.edns) diffs.push('OPT: want absent, got present');
  } else if (!m.edns) diffs.push('OPT: want present, got absent');
  else {
    for (const k of ['udp', 'do', 'version']) flag(`OPT ${k}`, e.edns[k], m.edns[k]);
    if (e.edns.options) {
      const f = (l) => JSON.stringify(l.map((o) => `${o.code}:${(o.data || '').toLowerCase()}`).sort());
      if (f(e.edns.options) !== f(m.edns.options)) diffs.push(`OPT options: want ${f(e.edns.options)}, got ${f(m.edns.options)}`);
    }
  }
  return diffs;
}

// ---------------------------------------------------------------- the server under test

function splitCommand(text) {
  const out = [];
  const re = /"([^"]*)"|'([^']*)'|(\S+)/g;
  let m;
  while ((m = re.exec(text))) out.push(m[1] ?? m[2] ?? m[3]);
  return out;
}

const taken = new Set();
async function freePort() { // below the ephemeral range, so that no client socket can grab it in between
  for (let i = 0; i < 500; i++) {
    const port = 20000 + Math.floor(Math.random() * 12000);
    if (taken.has(port)) continue;
    const t = net.createServer();
    const okT = await new Promise((ok) => { t.once('error', () => ok(false)); t.listen(port, '0.0.0.0', () => ok(true)); });
    const u = dgram.createSocket('udp4');
    const okU = await new Promise((ok) => { u.once('error', () => ok(false)); u.bind(port, '0.0.0.0', () => ok(true)); });
    try { u.close(); } catch { /* not bound */ }
    if (okT) await new Promise((ok) => t.close(ok));
    if (okT && okU) { taken.add(port); return port; }
  }
  throw new Error('no free port');
}

const children = new Set();

function launch(cmdline, { stdin, env, cwd } = {}) {
  const child = spawn(cmdline[0], cmdline.slice(1), { stdio: [stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'], detached: true, env: { ...process.env, ...env }, cwd });
  const proc = { child, pid: child.pid, output: '', stdout: '', stderr: '', exited: null, started: Date.now() };
  const keep = (key, d) => { proc[key] += d; if (proc[key].length > 2e6) proc[key] = proc[key].slice(-1e6); };
  child.stdout.on('data', (d) => { keep('output', d); keep('stdout', d); });
  child.stderr.on('data', (d) => { keep('output', d); keep('stderr', d); });
  if (stdin !== undefined) { child.stdin.on('error', () => {}); child.stdin.end(stdin); }
  proc.done = new Promise((ok) => {
    child.on('error', (e) => { proc.exited = { error: e.message }; ok(); });
    child.on('exit', (code, signal) => { proc.exitedAt = Date.now(); proc.exited = { code, signal }; ok(); });
  });
  children.add(proc);
  return proc;
}

async function stop(proc) {
  children.delete(proc);
  const signal = (sig) => { // our own child's process group, by its pid
    if (!proc.pid) return;
    try { process.kill(-proc.pid, sig); } catch { try { process.kill(proc.pid, sig); } catch { /* gone */ } }
  };
  if (!proc.exited) {
    signal('SIGTERM');
    await Promise.race([proc.done, sleep(7000)]);
  }
  if (!proc.exited) { signal('SIGKILL'); await Promise.race([proc.done, sleep(2000)]); }
}

process.on('exit', () => { for (const p of children) { try { process.kill(-p.pid, 'SIGKILL'); } catch { /* gone */ } } });
for (const s of ['SIGINT', 'SIGTERM']) process.on(s, () => process.exit(130));

// ---------------------------------------------------------------- running one vector

// run: {api, vars, dir, stubs, proc, base: {port: metrics}, mark}
async function runActions(actions, run) {
  const { api, vars } = run;
  for (const a of actions || []) {
    if (a.apply) api.apply(substitute(a.apply, vars));
    if (a.delete) api.delete(substitute(a.delete, vars));
    if (a.dropWatches) api.dropWatches(a.dropWatches === true ? {} : a.dropWatches);
    if (a.gone) api.gone(a.gone === true ? {} : a.gone);
    if (a.fail) api.fail(a.fail === true ? {} : a.fail);
    if (a.clearFail) api.clearFail();
    if (a.hang) api.hang(a.hang === true ? {} : a.hang);
    if (a.bookmark) api.bookmark();
    if (a.sleep) await sleep(a.sleep);
    if (a.waitWatchers) {
      const end = Date.now() + 15000;
      while (Date.now() < end && !a.waitWatchers.every((r) => api.stats().watchers.some((w) => w.resource === r))) await sleep(50);
    }
    if (a.write) for (const [name, text] of Object.entries(a.write)) replaceFile(run, name, text);
    if (a.corefile !== undefined) replaceFile(run, 'Corefile', a.corefile);
    if (a.remove) fs.rmSync(path.join(run.dir, a.remove), { force: true, recursive: true });
    if (a.link) for (const [name, target] of Object.entries(a.link)) link(run, name, target);
    if (a.stub) for (const [name, conf] of Object.entries(a.stub)) await run.stubs[name].set(substitute(conf, vars));
    if (a.scrape) run.base[a.scrape] = await scrape(run, a.scrape);
    if (a.ask) {
      const q = substitute(a.ask, vars);
      const one = async () => { for (let i = 0; i < (q.repeat || 1); i++) await ask(portOf(run, q), { transport: 'udp', ...q, name: q.name.replace('{n}', i) }, q.timeout || O.timeout, false); };
      if (q.background) one(); else await one();
    }
    if (a.signal) { run.signalled = Date.now(); run.mark = run.proc.output.length; try { process.kill(run.proc.pid, a.signal); } catch { /* gone */ } }
    if (a.waitLog) {
      const rx = new RegExp(a.waitLog, 'm');
      const end = Date.now() + (a.ms || 15000);
      while (Date.now() < end && !rx.test(run.proc.output.slice(run.mark))) await sleep(25);
    }
    if (a.waitExit) await Promise.race([run.proc.done, sleep(a.waitExit)]);
  }
}

function replaceFile(run, name, text) {
  const to = path.join(run.dir, name);
  fs.mkdirSync(path.dirname(to), { recursive: true });
  fs.writeFileSync(`${to}.new~`, substitute(text, run.vars));
  fs.renameSync(`${to}.new~`, to);
  if (run.proc) run.mark = run.proc.output.length;
}
function link(run, name, target) {
  const to = path.join(run.dir, name);
  fs.mkdirSync(path.dirname(to), { recursive: true });
  fs.symlinkSync(target, `${to}.new~`);
  fs.renameSync(`${to}.new~`, to);
  if (run.proc) run.mark = run.proc.output.length;
}
const portOf = (run, q) => Number(q.port === undefined ? run.vars.port : typeof q.port === 'number' ? q.port : run.vars[`port:${q.port}`] ?? NaN);
async function scrape(run, port) {
  const r = await httpCheck({ port: portOf(run, { port }), path: '/metrics' }, 5000);
  return r.http ? parseMetrics(r.http.body) : { series: [], types: {}, error: r.error || 'timeout' };
}

function makeCertificates(dir) {
  const ssl = (...a) => execFileSync('openssl', a, { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] });
  const key = (f) => ssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', f);
  key('ca.key'); key('key.pem');
  ssl('req', '-x509', '-new', '-key', 'ca.key', '-subj', '/CN=vector test CA', '-days', '3', '-out', 'ca.pem');
  ssl('req', '-new', '-key', 'key.pem', '-subj', '/CN=dns.test', '-out', 'req.pem');
  fs.writeFileSync(path.join(dir, 'ext.cnf'), 'subjectAltName=DNS:localhost,DNS:dns.test,IP:127.0.0.1,IP:::1\n');
  ssl('x509', '-req', '-in', 'req.pem', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'ext.cnf', '-out', 'cert.pem');
  return { key: fs.readFileSync(path.join(dir, 'key.pem')), cert: fs.readFileSync(path.join(dir, 'cert.pem')) };
}

async function canBind(address, port) {
  const s = net.createServer();
  const ok = await new Promise((done) => { s.once('error', () => done(false)); s.listen(port, address, () => done(true)); });
  if (ok) await new Promise((done) => s.close(done));
  return ok;
}
async function missing(v) {
  for (const req of v.requires || []) {
    if (req === 'port53') { if (!(await canBind('127.0.0.77', 53))) return 'needs port 53'; } else if (req === 'ipv6') { if (!(await canBind('::1', 0))) return 'needs IPv6'; } else if (!LOCAL[req]?.length) return `needs ${req}`;
  }
  if (v.tls) { try { execFileSync('openssl', ['version'], { stdio: 'ignore' }); } catch { return 'needs openssl'; } }
  return '';
}

function commandFor(v, corefile, run) {
  let words = splitCommand(O.cmd);
  if (v.args) {
    const at = words.findIndex((w) => w === '-conf' || w === '--conf');
    if (at < 0) throw new Error('this vector needs a --cmd template with "-conf {corefile}" as its last words');
    words = [...words.slice(0, at), ...v.args];
  }
  if (v.cwd) words = words.map((w) => (w.includes('/') && !w.includes('{') && fs.existsSync(w) ? path.resolve(w) : w));
  return words.map((w) => substitute(w.replace(/\{corefile\}/g, corefile), run.vars));
}

const inRange = (want, got) => (Array.isArray(want) ? got >= want[0] && got <= want[1] : got === want);
const shown = (want) => (Array.isArray(want) ? `${want[0]}..${want[1]}` : want);

// what one check did: {diffs, got}
async function perform(q, e, run) {
  const diffs = [];
  const port = portOf(run, q.script || q.http || q);
  if (q.http) {
    const r = await httpCheck({ ...q.http, port, host: q.http.to || '127.0.0.1' }, q.timeout || O.timeout);
    if (e.refused) { if (r.http || r.code !== 'ECONNREFUSED') diffs.push(`expected connection refused, got ${r.http ? `status ${r.http.status}` : r.code || r.error || 'timeout'}`); } else compareHTTP(r, e, diffs);
    return { diffs };
  }
  if (q.metrics !== undefined) {
    const m = await scrape(run, q.metrics);
    if (m.error) return { diffs: [`metrics: ${m.error}`] };
    const base = run.base[q.metrics] || { series: [] };
    const value = (metrics, sel) => sumSeries(metrics, substitute(sel, run.vars));
    const one = (label, sel, want, got) => {
      const ok = want === null ? got === null : want === '*' ? got !== null : got !== null && inRange(want, got);
      if (!ok) diffs.push(`${label} ${sel}: want ${want === null ? 'absent' : shown(want)}, got ${got === null ? 'absent' : got}`);
    };
    for (const [sel, want] of Object.entries(e.metrics || {})) one('metric', sel, want, value(m, sel));
    for (const [sel, want] of Object.entries(e.delta || {})) one('metric change', sel, want, (value(m, sel) ?? 0) - (value(base, sel) ?? 0));
    for (const [name, want] of Object.entries(e.labels || {})) {
      const got = labelSets(m, name);
      const w = [...want].sort().join(',');
      if (got.length !== 1 || got[0] !== w) diffs.push(`labels of ${name}: want ${w}, got ${got.join(' | ') || 'no series'}`);
    }
    for (const [name, want] of Object.entries(e.types || {})) if (m.types[name] !== want) diffs.push(`type of ${name}: want ${want}, got ${m.types[name]}`);
    for (const [name, want] of Object.entries(e.buckets || {})) { const got = buckets(m, name); if (got.join() !== want.join()) diffs.push(`buckets of ${name}: want ${want}, got ${got}`); }
    return { diffs };
  }
  if (q.script) {
    const r = await runScript(q.script, port, q.script.to || '127.0.0.1', (x) => { const m = buildQuery(x); if (x.hex) m.bytes = wire({ ...m, hex: x.hex }); return m; });
    if (r.error) diffs.push(`connection: ${r.error}`);
    const order = r.responses.map((x) => x.index);
    if (e.order && JSON.stringify(order) !== JSON.stringify(e.order)) diffs.push(`responses in order ${JSON.stringify(order)}, want ${JSON.stringify(e.order)}`);
    if (e.count !== undefined && !inRange(e.count, order.length)) diffs.push(`${order.length} responses, want ${shown(e.count)}`);
    if (e.closed !== undefined && e.closed !== r.closed) diffs.push(`connection closed: want ${e.closed}, got ${r.closed}`);
    if (e.closedMs && !inRange(e.closedMs, r.closedMs ?? -1)) diffs.push(`closed after ${r.closedMs} ms, want ${shown(e.closedMs)}`);
    const asked = q.script.steps.flatMap((s) => s.query || []);
    for (const [i, want] of (e.responses || []).entries()) {
      const x = r.responses.find((y) => y.index === i);
      for (const d of x ? compare(asked[i], { sent: r.sent[i], msg: x.msg }, want, run.vars) : ['no response']) diffs.push(`query ${i}: ${d}`);
    }
    return { diffs };
  }
  if (!q.name) { if (typeof q.check === 'number') await sleep(q.check); return { diffs }; }

  // a DNS query, or several
  const exact = e.upstream || e.seen || e.ms || q.timeout || q.burst || q.repeat;   // then a lost packet is not asked again
  const timeout = q.timeout || (e.noResponse ? 1500 : O.timeout);
  const once = (n) => ask(port, { ...q, name: q.name.replace('{n}', n) }, timeout, !e.noResponse && !exact);
  const list = [];
  if (q.burst) list.push(...await Promise.all(Array.from({ length: q.burst }, (_, i) => once(i))));
  else for (let i = 0; i < (q.repeat || 1); i++) list.push(await once(i));
  if (e.rcodes) {
    const seen = {};
    for (const r of list) { const k = r.msg ? rcodeName(r.msg.rcode) : 'none'; seen[k] = (seen[k] || 0) + 1; }
    for (const k of new Set([...Object.keys(e.rcodes), ...Object.keys(seen)])) if (!inRange(e.rcodes[k] ?? 0, seen[k] || 0)) diffs.push(`${k}: want ${shown(e.rcodes[k] ?? 0)}, got ${seen[k] || 0}`);
  } else {
    list.forEach((r, i) => { for (const d of compare({ ...q, name: q.name.replace('{n}', i) }, r, e, run.vars)) diffs.push(list.length > 1 ? `[${i}] ${d}` : d); });
    if (list[0].http || e.status) compareHTTP(list[0], { status: e.status, headers: e.headers }, diffs);
    if (e.tls) for (const [k, w] of Object.entries(e.tls)) if (list[0].tls?.[k] !== w) diffs.push(`TLS ${k}: want ${w}, got ${list[0].tls?.[k]}`);
  }
  return { diffs, got: list[0].msg ? summary(list[0].msg) : null };
}

function compareHTTP(r, e, diffs) {
  if (!r.http) { diffs.push(`HTTP: ${r.error || 'timeout'}`); return; }
  if (e.status !== undefined && r.http.status !== e.status) diffs.push(`status: want ${e.status}, got ${r.http.status}`);
  if (e.bodyIs !== undefined && r.http.body !== e.bodyIs) diffs.push(`body: want ${JSON.stringify(e.bodyIs)}, got ${JSON.stringify(r.http.body.slice(0, 200))}`);
  if (e.body !== undefined && !new RegExp(e.body, 'm').test(r.http.body)) diffs.push(`body: want /${e.body}/, got ${JSON.stringify(r.http.body.slice(0, 200))}`);
  for (const [k, w] of Object.entries(e.headers || {})) {
    const got = r.http.headers[k.toLowerCase()];
    if (w === null ? got !== undefined : got === undefined || !new RegExp(w).test(got)) diffs.push(`header ${k}: want ${w === null ? 'absent' : `/${w}/`}, got ${got}`);
  }
}

// the expectations every kind of check can have
async function common(e, run, since) {
  const diffs = [];
  const { proc, api } = run;
  const until = async (test, n = 40) => { for (let i = 0; i < n; i++) { if (test()) return true; await sleep(25); } return test(); };
  const last = (s) => JSON.stringify(s.trim().split('\n').slice(-3));
  if (e.exit !== undefined) {
    await Promise.race([proc.done, sleep(e.exitWithin || 10000)]);
    const x = proc.exited;
    if (!x) diffs.push('the server kept running');
    else if (x.error) diffs.push(x.error);
    else if (e.exit === '!0' ? x.code === 0 || x.code === null : typeof e.exit === 'string' ? x.signal !== e.exit : x.code !== e.exit) diffs.push(`exit: want ${e.exit}, got ${x.signal || x.code}`);
    if (e.exitMs && run.signalled && x && !inRange(e.exitMs, proc.exitedAt - run.signalled)) diffs.push(`exit after ${proc.exitedAt - run.signalled} ms, want ${shown(e.exitMs)}`);
    await sleep(30);
  } else if (proc.exited && !run.mayExit) diffs.push(`the server exited: ${JSON.stringify(proc.exited)}`);
  for (const re of e.log || []) {
    const rx = new RegExp(substitute(re, run.vars), 'm');
    if (!(await until(() => rx.test(proc.output.slice(since.mark))))) diffs.push(`output: no line matches /${re}/; got ${last(proc.output.slice(since.mark))}`);
  }
  for (const re of e.stdout || []) if (!(await until(() => new RegExp(substitute(re, run.vars), 'm').test(proc.stdout)))) diffs.push(`stdout: no line matches /${re}/; got ${last(proc.stdout)}`);
  for (const re of e.stderr || []) if (!(await until(() => new RegExp(substitute(re, run.vars), 'm').test(proc.stderr)))) diffs.push(`stderr: no line matches /${re}/; got ${last(proc.stderr)}`);
  if (e.noLog || e.notStdout) await sleep(150);
  for (const re of e.noLog || []) if (new RegExp(substitute(re, run.vars), 'm').test(proc.output.slice(since.mark))) diffs.push(`output: a line matches /${re}/: ${last(proc.output.slice(since.mark))}`);
  for (const re of e.notStdout || []) if (new RegExp(substitute(re, run.vars), 'm').test(proc.stdout)) diffs.push(`stdout: a line matches /${re}/`);
  for (const [name, re] of Object.entries(e.file || {})) {
    let text = null;
    const test = () => { try { text = fs.readFileSync(path.join(run.dir, name), 'utf8'); } catch { text = null; } return re === null ? text === null : text !== null && new RegExp(substitute(re, run.vars)).test(text); };
    if (!(await until(test))) diffs.push(`file ${name}: want ${re === null ? 'absent' : `/${re}/`}, got ${text === null ? 'absent' : JSON.stringify(text.slice(0, 100))}`);
  }
  if (e.apiWatched || e.apiNotRequested) {
    const st = api.stats();
    for (const res of e.apiWatched || []) if (!st.watchers.some((w) => w.resource === res)) diffs.push(`api: no open watch on ${res}`);
    for (const res of e.apiNotRequested || []) if (st.requests.some((x) => x.path.endsWith(`/${res}`))) diffs.push(`api: ${res} was requested`);
  }
  const arrived = (key) => {
    const [to, name] = key.includes(' ') ? key.split(' ') : [key, null];
    return run.stubs[to].seen.slice(since.seen[to]).filter((x) => (name ? x.name.toLowerCase() === name : x.name !== '.')).length;
  };
  if (e.upstream || e.seen) {
    const enough = () => Object.entries(e.upstream || {}).every(([k, w]) => arrived(k) >= (Array.isArray(w) ? w[0] : w))
      && (!e.seen || Object.keys(run.stubs).reduce((n, k) => n + arrived(k), 0) >= e.seen.length);
    await until(enough);
    await sleep(60);   // let late copies arrive
  }
  for (const [key, want] of Object.entries(e.upstream || {})) if (!inRange(want, arrived(key))) diffs.push(`upstream "${key}": want ${shown(want)} queries, got ${arrived(key)}`);
  if (e.seen) {
    const got = Object.entries(run.stubs).flatMap(([to, s]) => s.seen.slice(since.seen[to]).map((x) => ({ to, ...x }))).filter((x) => x.name !== '.').sort((a, b) => a.at - b.at);
    if (got.length !== e.seen.length) diffs.push(`upstream saw ${got.length} queries, want ${e.seen.length}: ${got.map((x) => `${x.to || '-'}/${x.proto} ${x.name} ${x.type}`).join(', ')}`);
    e.seen.forEach((want, i) => {
      if (!got[i]) return;
      for (const [k, w] of Object.entries(want)) {
        if (k === 'edns' && w) {
          if (!got[i].edns) { diffs.push(`upstream query ${i}: OPT absent`); continue; }
          for (const [f, x] of Object.entries(w)) if (JSON.stringify(x) !== JSON.stringify(got[i].edns[f])) diffs.push(`upstream query ${i}: OPT ${f} want ${JSON.stringify(x)}, got ${JSON.stringify(got[i].edns[f])}`);
        } else if (JSON.stringify(w) !== JSON.stringify(got[i][k])) diffs.push(`upstream query ${i}: ${k} want ${JSON.stringify(w)}, got ${JSON.stringify(got[i][k])}`);
      }
    });
  }
  return diffs;
}

async function runVector(v, queries) {
  const results = [];
  const print = [];
  const all = (status, why) => { for (const q of queries) results.push({ id: q.full, status, diffs: [why], note: q.note }); };
  const lacking = await missing(v);
  if (lacking) { all('skip', lacking); return { results, print }; }
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'vec-'));
  const vars = { dir, local4: LOCAL.local4[0], local6: LOCAL.local6[0] };
  const run = { vars, dir, stubs: {}, base: {}, mark: 0, api: null, proc: null };
  let api, proc;
  try {
    const pair = v.tls ? makeCertificates(dir) : null;
    for (const [name, conf] of Object.entries({ '': v.upstream || {}, ...v.upstreams })) {
      run.stubs[name] = await startUpstream(conf, pair);
      vars[name ? `upstream:${name}` : 'upstream'] = run.stubs[name].addr;
      vars[`upstream:${name}.port`] = String(run.stubs[name].port);
    }
    const opt = v.api || {};
    api = await startApi({ objects: substitute(v.objects || [], vars), watchList: opt.watchList !== false, mcs: opt.mcs, bookmarkMs: opt.bookmarkMs || 0, token: opt.token || '' });
    run.api = api;
    if (opt.hang) api.hang(opt.hang === true ? {} : opt.hang);
    if (opt.fail) api.fail(opt.fail);
    vars.api = api.url;
    vars.port = String(await freePort());
    for (const name of v.ports || []) vars[`port:${name}`] = String(await freePort());
    const corefile = path.join(dir, 'Corefile');
    if (v.corefile !== undefined) fs.writeFileSync(corefile, substitute(v.corefile, vars));
    for (const [name, text] of Object.entries(v.files || {})) {
      fs.mkdirSync(path.dirname(path.join(dir, name)), { recursive: true });
      fs.writeFileSync(path.join(dir, name), substitute(text, vars));
    }
    await runActions(v.setup, run);
    proc = launch(commandFor(v, corefile, run), { stdin: substitute(v.stdin, vars), env: substitute(v.env, vars), cwd: v.cwd ? dir : undefined });
    run.proc = proc;
    vars.pid = String(proc.pid);
    const tail = () => proc.output.split('\n').slice(-15).join('\n');

    if (v.startup === 'fail') {
      await Promise.race([proc.done, sleep(10000)]);
      const x = proc.exited;
      if (x?.error) all('fail', x.error);
      else if (!x) all('fail', 'the server kept running; it must refuse this configuration');
      else if (x.code === 0) all('fail', 'the server exited with status 0; it must fail');
      else results.push({ id: queries[0].full, status: 'pass', diffs: [] });
      return { results, print, output: proc.output };
    }

    // wait for the first answer
    const probe = { transport: 'udp', name: 'ready-probe.default.svc.cluster.local.', type: 'A', ...(v.ready || {}) };
    const until = Date.now() + O.ready;
    let ready = v.startup === 'none';
    let last = 'no answer';
    while (!ready && Date.now() < until && !proc.exited) {
      if (v.ready?.log) { ready = new RegExp(v.ready.log, 'm').test(proc.output); await sleep(25); continue; }
      const r = await ask(portOf(run, probe), probe, 400, false);
      if (r.msg && (v.ready?.any || (rcodeName(r.msg.rcode) !== 'SERVFAIL' && (!v.ready?.answers || r.msg.answers.length)))) { ready = true; break; }
      last = r.msg ? rcodeName(r.msg.rcode) : r.error || 'timeout';
      await sleep(60);
    }
    if (!ready) {
      const why = proc.exited ? `the server exited (${JSON.stringify(proc.exited)}) before it answered` : `not ready after ${O.ready} ms (last: ${last})`;
      all('fail', `${why}\n${tail()}`);
      return { results, print, output: proc.output };
    }

    const wanted = new Set(queries.map((q) => q.full));
    run.mayExit = v.startup === 'none';
    for (const q of v.queries) {
      const begun = { mark: proc.output.length };
      run.mark = begun.mark;
      await runActions(q.before, run);   // actions run even when the query itself is filtered out
      if (!wanted.has(q.full)) continue;
      const e = q.expect;
      if (q.mayExit) run.mayExit = true;
      const limit = Date.now() + (q.within || 0);
      let diffs, got;
      while (true) {
        // log: from the query on; for a check of the process (exit, {check:true}) from its actions on
        const since = { mark: q.name || q.script ? proc.output.length : begun.mark, seen: Object.fromEntries(Object.entries(run.stubs).map(([k, s]) => [k, s.seen.length])) };
        const t0 = Date.now();
        const meanwhile = runActions(q.during, run);
        ({ diffs, got } = await perform(q, e, run));
        await meanwhile;
        const ms = Date.now() - t0;
        if (e.ms && !inRange(e.ms, ms)) diffs.push(`took ${ms} ms, want ${shown(e.ms)}`);
        diffs.push(...await common(e, run, since));
        if (!diffs.length || Date.now() >= limit || (proc.exited && !run.mayExit)) break;
        await sleep(100);
      }
      if (e.exit !== undefined) run.mayExit = true;
      results.push({ id: q.full, status: diffs.length ? 'fail' : 'pass', diffs, note: q.note, tags: q.tags, got });
    }
    return { results, print, output: proc.output };
  } catch (e) {
    const left = queries.filter((q) => !results.some((r) => r.id === q.full));
    for (const q of left) results.push({ id: q.full, status: 'fail', diffs: [`runner: ${e.stack || e}`] });
    return { results, print, output: proc?.output };
  } finally {
    if (proc) await stop(proc);
    await api?.close();
    for (const s of Object.values(run.stubs)) await s.close();
    if (!O.keep) fs.rmSync(dir, { recursive: true, force: true });
  }
}

function summary(m) {
  const flags = ['aa', 'tc', 'rd', 'ra', 'ad', 'cd'].filter((f) => m[f]).join(',');
  return { rcode: rcodeName(m.rcode), flags, answer: m.answers.map(rrText), authority: m.authorities.map(rrText), additional: m.additionals.map(rrText), edns: m.edns };
}

// ---------------------------------------------------------------- main

const vectors = loadVectors();
const known = loadKnown();
const pick = (q) => (!O.only || O.only.test(q.full)) && (!O.tag.length || O.tag.some((t) => q.tags.includes(t))) && !O.skipTag.some((t) => q.tags.includes(t));
// queries of one vector build on each other, so those before a chosen one are asked too, but not judged
const plan = vectors.map((v) => [v, v.queries.slice(0, v.queries.findLastIndex(pick) + 1)]).filter(([, qs]) => qs.length);
if (O.list) {
  for (const [, qs] of plan) for (const q of qs.filter(pick)) console.log(`${q.full}\t${q.name ?? (['http', 'metrics', 'script', 'check'].find((k) => q[k] !== undefined) || '')}\t${q.type ?? ''}\t${q.tags.join(',')}`);
  console.log(`${plan.length} vectors, ${plan.reduce((n, [, qs]) => n + qs.filter(pick).length, 0)} queries`);
  process.exit(0);
}
if (!O.cmd) die("no --cmd 'command {corefile}' given (see --help)");

const started = Date.now();
const report = [];
let cursor = 0;
async function worker() {
  while (cursor < plan.length) {
    const [v, qs] = plan[cursor++];
    const t0 = Date.now();
    const { results: everything, output } = await runVector(v, qs);
    const judged = new Set(qs.filter(pick).map((q) => q.full));
    const results = everything.filter((r) => judged.has(r.id));
    const lines = [`== ${v.name} (${v.file}) ${Date.now() - t0} ms`];
    for (const r of results) {
      if (r.status !== 'skip' && known.has(r.id)) r.status = r.status === 'pass' ? 'known-pass' : 'known-diff';
      const label = { pass: 'PASS', fail: 'FAIL', skip: 'SKIP', 'known-diff': 'KNOWN', 'known-pass': 'KNOWN-BUT-PASSES' }[r.status];
      if (O.quiet && r.status !== 'fail') continue;
      lines.push(`${label} ${r.id}${r.status === 'skip' ? ` (${r.diffs[0]})` : ''}`);
      if (r.status === 'fail' || r.status === 'known-diff') {
        if (r.note) lines.push(`     note: ${r.note}`);
        for (const d of r.diffs) lines.push(`     ${d.replace(/\n/g, '\n     ')}`);
      }
      if (O.verbose && r.got) lines.push(`     got: ${JSON.stringify(r.got)}`);
    }
    if (O.verbose && output) lines.push('     --- server output', ...output.trimEnd().split('\n').map((l) => `     ${l}`));
    if (!O.quiet || lines.length > 1) console.log(lines.join('\n'));
    report.push({ name: v.name, file: v.file, ms: Date.now() - t0, results });
  }
}
await Promise.all(Array.from({ length: O.jobs }, worker));

const flat = report.flatMap((v) => v.results);
const count = (s) => flat.filter((r) => r.status === s).length;
const passed = count('pass'), failed = count('fail'), skipped = count('skip'), kd = count('known-diff'), kp = count('known-pass');
if (O.json) {
  fs.writeFileSync(O.json, JSON.stringify({ cmd: O.cmd, date: new Date().toISOString(), ms: Date.now() - started,
    summary: { passed, failed, skipped, knownDifferences: kd, knownButPassing: kp, total: passed + failed }, vectors: report }, null, 1));
}
if (failed) {
  console.log(`\nfailed: ${failed}`);
  for (const r of flat.filter((x) => x.status === 'fail')) console.log(`  ${r.id}${r.tags?.length ? ` [${r.tags.join(',')}]` : ''}`);
}
if (skipped) console.log(`skipped: ${skipped}`);
if (known.size) console.log(`known differences: ${kd} still differ, ${kp} now pass (of ${known.size} listed)`);
console.log(`vectors: ${passed} passed, ${failed} failed of ${passed + failed}`);
process.exitCode = failed === 0 && passed + failed + kd + kp > 0 ? 0 : 1;
