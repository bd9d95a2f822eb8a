// Starts the server under test with a Corefile and waits until it answers. Main thread of a test program.
//
// SERVER_COMMAND in the environment starts another server instead, e.g. 'coredns -conf {corefile}', to see what it does.
import fs from 'node:fs';
import path from 'node:path';
import { DnsClient } from './dns-client.mjs';
import { findFreePort, makeFolder, PROJECT_DIR, Program, waitFor } from './programs.mjs';

/** Times a start is repeated because another program took one of its ports. */
const PORT_TRIES = 3;
const LAUNCHER = path.join(PROJECT_DIR, 'bin', 'clusterdns');

/** Command and arguments that start the server with these arguments after its name. */
export function serverCommand(args) {
  const other = process.env.SERVER_COMMAND;
  if (other === undefined) return [process.execPath, LAUNCHER, ...args];
  const confAt = args.indexOf('-conf');
  if (!other.includes('{corefile}') || confAt < 0) return [...other.split(' ').slice(0, 1), ...args];
  return [
    ...other.split(' ').map((word) => word.replace('{corefile}', args[confAt + 1])),
    ...args.toSpliced(confAt, 2),
  ];
}

/** Starts the server with any arguments and does not wait. */
export function spawnServer(args, options = {}) {
  const [command, ...rest] = [...(options.wrap ?? []), ...serverCommand(args)];
  return new Program(command, rest, {
    env: { ...process.env, ...options.env },
    cwd: options.cwd,
    input: options.input,
  });
}

/**
 * Starts the server and waits for an answer other than SERVFAIL.
 *
 * @param corefile text; {port}, {health}, {ready}, {metrics} become free ports, {dir} the folder of the Corefile
 * @param options files: texts by name, written beside the Corefile; ask: [name, type] to wait for;
 *   wrap: words before the command; env: further environment; port: of the DNS listener; timeoutMs
 */
export async function startServer(corefile, options = {}) {
  for (let triesLeft = PORT_TRIES; ; triesLeft--) {
    try {
      return await startOnce(corefile, options);
    } catch (error) {
      // A free port is anybody's until it is opened; on a busy machine others look for one at the same moment.
      const isTaken = options.port === undefined && error.message.includes('address already in use');
      if (!isTaken || triesLeft === 0) throw error;
    }
  }
}

async function startOnce(corefile, options) {
  const dir = makeFolder('server');
  const ports = {
    port: options.port ?? (await findFreePort()),
    health: await findFreePort(),
    ready: await findFreePort(),
    metrics: await findFreePort(),
  };
  const fill = (text) => text.replace(/\{(port|health|ready|metrics|dir)\}/g, (_, key) => String(ports[key] ?? dir));
  const file = path.join(dir, 'Corefile');
  for (const [name, text] of Object.entries(options.files ?? {})) fs.writeFileSync(path.join(dir, name), fill(text));
  fs.writeFileSync(file, fill(corefile));
  const program = spawnServer(['-conf', file, ...(options.args ?? [])], { cwd: PROJECT_DIR, ...options });
  const server = { program, dir, file, ...ports, client: new DnsClient(ports.port, options.address), writeCorefile };
  function writeCorefile(text) {
    fs.writeFileSync(`${file}.new`, fill(text));
    fs.renameSync(`${file}.new`, file);
  }
  await waitAnswering(server, options);
  return server;
}

async function waitAnswering(server, { ask = ['cluster.local.', 'SOA'], timeoutMs = 20_000 }) {
  await waitFor(
    `answer from ${server.program.command}`,
    async () => {
      if (server.program.ended !== undefined) {
        throw new Error(`the server ended with ${JSON.stringify(server.program.ended)}\n${server.program.output}`);
      }
      const reply = await server.client.ask(ask[0], ask[1], { timeoutMs: 300 });
      return reply !== undefined && reply.rcode !== 'SERVFAIL';
    },
    timeoutMs,
  ).catch(async (error) => {
    await stopServer(server);
    throw new Error(`${error.message}\n${server.program.output.slice(-3000)}`);
  });
}

/** Stops the server and its client; returns {code, signal}. */
export async function stopServer(server) {
  server.client.close();
  return server.program.stop();
}

/**
 * kubeadm's Corefile with ports of its own.
 *
 * @param view lines of the kubernetes block that say where the cluster is seen
 * @param upstream of `forward`
 */
export function kubeadmCorefile(view, upstream, { lameduck = '0s', log = '' } = {}) {
  return `.:{port} {
    bind 127.0.0.1
    errors
    health 127.0.0.1:{health} {
       lameduck ${lameduck}
    }
    ready 127.0.0.1:{ready}
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       ${view}
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus 127.0.0.1:{metrics}
    forward . ${upstream} {
       max_concurrent 1000
    }
    cache 30 {
       disable success cluster.local
       disable denial cluster.local
    }
    loop
    reload
    loadbalance
${log}}
`;
}

/** The demo cluster as the view of `kubeadmCorefile`. */
export const DEMO_VIEW = `manifests ${PROJECT_DIR}/zones/demo`;
