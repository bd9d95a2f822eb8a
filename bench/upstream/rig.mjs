// What the scenarios of bench/upstream.mjs share: a small cluster, a peer with a Corefile, upstreams, load, memory over time.
import fs from 'node:fs';
import path from 'node:path';
import { runLoad, startUpstream } from '../../test/fault/rig.mjs';
import { Program, findFreePort, findProgram, makeFolder, sleep, waitFor } from '../../test/scenario/programs.mjs';
import { startServer, stopServer } from '../../test/scenario/server.mjs';
import { makeCluster } from '../cluster.mjs';

const SERVICES = 1000;
const SAMPLE_MS = 100;
/** Whether this process may put itself and the server before the machine's other users. */
const RAISED = process.getuid() === 0 ? -10 : 0;

const GROUP = '/proc/self/autogroup';

/** A cluster of 1,000 Services behind an API server. */
export async function startCluster() {
  const file = path.join(makeFolder('objects'), 'objects.json');
  const { objects, names } = makeCluster({ services: SERVICES, endpoints: 3 });
  fs.writeFileSync(file, JSON.stringify(objects));
  const api = new Program(process.execPath, [
    path.join(import.meta.dirname, '../../test/conformance/fake-apiserver.mjs'),
    '--port',
    String(await findFreePort()),
    '--objects',
    file,
  ]);
  const [, url] = await waitFor('API server', () => /listening on (\S+)/.exec(api.stdout), 20_000);
  return { url, names: names.clusterIp, stop: () => api.stop() };
}

/** Pins this process with its threads and children to the CPU of the load. */
export async function pinLoad(cpu) {
  if (cpu === 'all') return;
  await new Program('taskset', ['-apc', cpu, String(process.pid)]).finished;
  if (RAISED === 0) return;
  await new Program('renice', ['-n', String(RAISED), '-p', String(process.pid)]).finished;
  // Where sessions share the CPU by groups, a process's own priority counts only within its session.
  if (!fs.existsSync(GROUP)) return;
  fs.writeFileSync(GROUP, String(RAISED));
  process.on('exit', () => fs.writeFileSync(GROUP, '0'));
}

/** One scenario of one peer; `close` ends what it started. */
export class Rig {
  /** As on the command line, or 'ours'. */
  peer;
  /** Names of the cluster that have an address. */
  clusterNames;
  #cluster;
  #cpu;
  #opened = [];

  constructor({ peer, cluster, cpu }) {
    this.peer = peer;
    this.clusterNames = cluster.names;
    this.#cluster = cluster;
    this.#cpu = cpu;
  }

  /** See test/fault/upstream-thread.mjs for behaviours. */
  async startUpstream(behaviour = {}, options = {}) {
    const upstream = await startUpstream(behaviour, options);
    this.#opened.push(() => upstream.close());
    return upstream;
  }

  /**
   * kubeadm's Corefile with these lines in place of `cache`, `forward` and `loop`, served by the peer under test.
   *
   * @param options further ones of test/scenario/server.mjs
   */
  async startServer(lines, options = {}) {
    process.env.SERVER_COMMAND = this.peer.command;
    const pinned = this.#cpu === 'all' ? [] : ['taskset', '-c', this.#cpu];
    const server = await startServer(this.#corefile(lines), {
      ask: [this.clusterNames.at(-1), 'A'],
      wrap: [...pinned, 'nice', '-n', String(RAISED)],
      ...options,
    });
    this.#opened.push(() => stopServer(server));
    return server;
  }

  #corefile(lines) {
    return `.:{port} {
    bind 127.0.0.1
    errors
    health 127.0.0.1:{health}
    ready 127.0.0.1:{ready}
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        endpoint ${this.#cluster.url}
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 30
    }
    prometheus 127.0.0.1:{metrics}
    loadbalance
${lines}
}
`;
  }

  /** See test/fault/load-thread.mjs. */
  runLoad(server, load) {
    return runLoad(server, load);
  }

  /**
   * Random names by dnsperf, which costs the load's CPU little: {sent, answered, refused}.
   *
   * @param options from: address; perSecond; seconds; timeoutS; zone: what the names are in
   */
  async flood(server, { from, perSecond, seconds, timeoutS = 1, zone = 'noise.test' }) {
    if (findProgram('dnsperf') === undefined) throw new Error('dnsperf is not installed (apt-get install dnsperf)');
    const file = path.join(makeFolder('names'), 'names.txt');
    const lines = Array.from({ length: perSecond * seconds }, () => `${randomLabel()}.${zone} A`);
    fs.writeFileSync(file, `${lines.join('\n')}\n`);
    const words = `-s 127.0.0.1 -p ${server.port} -a ${from} -d ${file} -l ${seconds} -Q ${perSecond}`;
    const program = new Program('dnsperf', `${words} -c 8 -q 60000 -t ${timeoutS} -n 1`.split(' '));
    this.#opened.push(() => program.stop());
    await program.finished;
    const read = (pattern) => Number(pattern.exec(program.stdout)?.[1] ?? 0);
    return {
      sent: read(/Queries sent:\s+(\d+)/),
      answered: read(/Queries completed:\s+(\d+)/),
      refused: read(/REFUSED (\d+)/),
    };
  }

  /** Follows the resident memory of the server until `stop`, which returns MiB and the CPUs it kept busy:
   *  {startMib, peakMib, endMib, busy}. */
  watchMemory(server) {
    const mib = () => Math.round(server.program.rssKib() / 1024);
    const startMib = mib();
    let peakMib = startMib;
    const [startMs, startCpuMs] = [performance.now(), readCpuMs(server.program.pid)];
    const timer = setInterval(() => (peakMib = Math.max(peakMib, mib())), SAMPLE_MS);
    return {
      mib,
      stop() {
        clearInterval(timer);
        const busy = (readCpuMs(server.program.pid) - startCpuMs) / (performance.now() - startMs);
        return { startMib, peakMib, endMib: mib(), busy: Math.round(busy * 100) / 100 };
      },
    };
  }

  /** Lets what the start left behind settle. */
  async settle(ms = 3000) {
    await sleep(ms);
  }

  async close() {
    for (const end of this.#opened.splice(0).reverse()) await end();
  }
}

/** CPU time of a process that has replaced its launcher, milliseconds. */
function readCpuMs(pid) {
  const text = fs.readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function randomLabel() {
  return Math.random().toString(36).slice(2, 14);
}
