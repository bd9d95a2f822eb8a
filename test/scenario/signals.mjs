// Flags, start-up lines, signals and exit codes, as CoreDNS has them.
import fs from 'node:fs';
import path from 'node:path';
import { startUpstream } from '../conformance/stub-upstream.mjs';
import { expect, expectEqual } from './checks.mjs';
import { DnsClient } from './dns-client.mjs';
import { findFreePort, makeFolder, sleep, waitFor } from './programs.mjs';
import { DEMO_VIEW, kubeadmCorefile, spawnServer, startServer, stopServer } from './server.mjs';

const LIMIT_MS = 15_000;
const NAME = 'web.shop.svc.cluster.local.';
const LAMEDUCK_MS = 1500;

export async function run(checks) {
  checks.area('signals');
  await checkFlags(checks);
  const upstream = await startUpstream({ any: ['60 A 192.0.2.1'] });
  try {
    await checkStart(checks, upstream.addr);
    await checkEnds(checks, upstream.addr);
    await checkReload(checks);
    await checkLoop(checks);
  } finally {
    await upstream.close();
  }
}

async function runOnce(args, options) {
  const program = spawnServer(args, options);
  const { code } = await program.waitEnd(LIMIT_MS);
  return { code, stdout: program.stdout, stderr: program.stderr, lines: program.stderr.split('\n').filter(Boolean) };
}

async function checkFlags(checks) {
  await checks.check('-version and --version print the version and exit 0', async () => {
    for (const flag of ['-version', '--version', '-version=true']) {
      const { code, stdout } = await runOnce([flag]);
      expect(code === 0 && stdout.startsWith('CoreDNS-1.14.7\n'), `${flag}: ${code} ${stdout}`);
    }
  });
  await checks.check('-plugins lists the directives and exits 0', async () => {
    const { code, stdout } = await runOnce(['-plugins']);
    expect(code === 0 && /(^|\n)(dns\.)?kubernetes\n/.test(stdout), `${code} ${stdout}`);
  });
  await checks.check('-h shows the usage and exits 0, an unknown flag exits 2 with the usage on stderr', async () => {
    const help = await runOnce(['-h']);
    expect(help.code === 0 && /-conf/.test(help.stdout + help.stderr), JSON.stringify(help));
    const unknown = await runOnce(['-nosuch']);
    expect(
      unknown.code === 2 && /-nosuch/.test(unknown.stderr) && /-conf/.test(unknown.stderr),
      JSON.stringify(unknown),
    );
  });
  await checks.check('left-over words and a missing Corefile exit 1 with one line on stderr', async () => {
    const left = await runOnce(['-conf', 'x', 'more', 'words']);
    expect(
      left.code === 1 && /^extra command line arguments: \[more words\]\n$/.test(left.stderr),
      JSON.stringify(left),
    );
    const missing = await runOnce(['-conf', '/nosuch/Corefile']);
    expect(missing.code === 1 && missing.lines.length === 1 && /nosuch/.test(missing.stderr), JSON.stringify(missing));
  });
  await checks.check('-check accepts a good Corefile without opening a socket and exits 0', async () => {
    const folder = makeFolder('check');
    fs.writeFileSync(path.join(folder, 'Corefile'), '.:1 {\n  bind 127.0.0.1\n  whoami\n}\n');
    const { code, stderr } = await runOnce(['-check', '-conf', path.join(folder, 'Corefile')]);
    expectEqual([code, stderr], [0, '']);
  });
}

async function checkStart(checks, upstream) {
  await checks.check(
    '-conf stdin, -dns.port and -p set the default port; zone lines and versions are printed',
    async () => {
      for (const flag of ['-dns.port', '-p']) {
        const port = await findFreePort();
        const input = `example.org {\n  bind 127.0.0.1\n  whoami\n}\n`;
        const program = spawnServer(['-conf', 'stdin', `${flag}=${port}`], { input });
        try {
          await waitServing(port, program);
          await waitFor('version line', () => /CoreDNS-1\.14\.7/.test(program.stdout));
          expect(program.stdout.includes(`example.org.:${port}`), program.stdout);
        } finally {
          expectEqual(await program.stop(), { code: 0, signal: null }, 'end');
        }
      }
    },
  );
  await checks.check(
    '-pidfile is written after the start and removed at the end; -quiet prints no banner',
    async () => {
      const pidFile = path.join(makeFolder('pid'), 'server.pid');
      const server = await startServer(kubeadmCorefile(DEMO_VIEW, upstream), {
        args: ['-pidfile', pidFile, '-quiet'],
        ask: [NAME, 'A'],
      });
      await waitFor('pid file', () => fs.existsSync(pidFile));
      const pid = Number(fs.readFileSync(pidFile, 'latin1'));
      expect(/^\d+\n$/.test(fs.readFileSync(pidFile, 'latin1')), 'content of the pid file');
      process.kill(pid, 'SIGTERM');
      const ended = await server.program.waitEnd(LIMIT_MS);
      server.client.close();
      expectEqual(ended, { code: 0, signal: null }, 'end');
      expect(!fs.existsSync(pidFile), 'the pid file is still there');
      expect(!/CoreDNS-|^\.:/m.test(server.program.stdout), server.program.stdout);
    },
  );
  await checks.check("an address that is not this machine's exits 1 with one line on stderr", async () => {
    const folder = makeFolder('bind');
    const port = await findFreePort();
    fs.writeFileSync(path.join(folder, 'Corefile'), `.:${port} {\n  bind 203.0.113.9\n  whoami\n}\n`);
    const { code, lines } = await runOnce(['-conf', path.join(folder, 'Corefile')]);
    expect(code === 1 && lines.length === 1 && lines[0].includes('203.0.113.9'), `${code} ${lines.join('\n')}`);
  });
}

async function waitServing(port, program) {
  const client = new DnsClient(port);
  try {
    await waitFor('answer', async () => {
      expect(program.ended === undefined, program.output);
      return client.ask('example.org.', 'A', { timeoutMs: 200 });
    });
  } finally {
    client.close();
  }
}

async function checkEnds(checks, upstream) {
  const start = () =>
    startServer(kubeadmCorefile(DEMO_VIEW, upstream, { lameduck: `${LAMEDUCK_MS}ms` }), { ask: [NAME, 'A'] });
  const withServer = async (body) => {
    const server = await start();
    try {
      return await body(server);
    } finally {
      await stopServer(server);
    }
  };
  await checks.check('SIGTERM: answers and is healthy while lame, says so, exits 0', () =>
    withServer(async (server) => {
      const sentMs = Date.now();
      server.program.signal('SIGTERM');
      await sleep(LAMEDUCK_MS / 3);
      const reply = await server.client.ask(NAME, 'A');
      expectEqual(reply?.data, ['10.96.0.17'], 'answer while lame');
      expectEqual((await fetch(`http://127.0.0.1:${server.health}/health`)).status, 200, '/health while lame');
      const ended = await server.program.waitEnd(LIMIT_MS);
      const tookMs = Date.now() - sentMs;
      expectEqual(ended, { code: 0, signal: null }, 'end');
      expect(tookMs >= LAMEDUCK_MS - 50 && tookMs < LAMEDUCK_MS + 6000, `took ${tookMs} ms`);
      expect(
        /\[INFO\] SIGTERM: Shutting down servers then terminating/.test(server.program.output),
        server.program.output,
      );
      return `${tookMs} ms`;
    }),
  );
  await checks.check('SIGINT exits 0 after the lame time', () =>
    withServer(async (server) => {
      server.program.signal('SIGINT');
      expectEqual(await server.program.waitEnd(LIMIT_MS), { code: 0, signal: null }, 'end');
    }),
  );
  await checks.check('a second SIGINT exits 2 at once', () =>
    withServer(async (server) => {
      server.program.signal('SIGINT');
      await sleep(200);
      const sentMs = Date.now();
      server.program.signal('SIGINT');
      expectEqual(await server.program.waitEnd(LIMIT_MS), { code: 2, signal: null }, 'end');
      expect(Date.now() - sentMs < LAMEDUCK_MS / 2, `took ${Date.now() - sentMs} ms`);
    }),
  );
  await checks.check('SIGQUIT exits 0 at once', () =>
    withServer(async (server) => {
      const sentMs = Date.now();
      server.program.signal('SIGQUIT');
      expectEqual(await server.program.waitEnd(LIMIT_MS), { code: 0, signal: null }, 'end');
      expect(Date.now() - sentMs < LAMEDUCK_MS / 2, `took ${Date.now() - sentMs} ms`);
    }),
  );
  await checks.check('SIGHUP is ignored', () =>
    withServer(async (server) => {
      server.program.signal('SIGHUP');
      await sleep(300);
      expectEqual((await server.client.ask(NAME, 'A'))?.data, ['10.96.0.17']);
    }),
  );
}

async function checkReload(checks) {
  const corefile = (address, more = '') =>
    `.:{port} {\n  bind 127.0.0.1\n  hosts {\n    ${address} one.test\n  }\n${more}}\n`;
  const server = await startServer(corefile('192.0.2.1'), { ask: ['one.test.', 'A'] });
  const answers = async () => (await server.client.ask('one.test.', 'A'))?.data.join();
  try {
    await checks.check('SIGUSR1 loads the new Corefile, without the reload plugin too', async () => {
      server.writeCorefile(corefile('192.0.2.2'));
      server.program.signal('SIGUSR1');
      await waitFor('new answer', async () => (await answers()) === '192.0.2.2');
    });
    await checks.check('SIGUSR1 with a broken Corefile says why and keeps the old one', async () => {
      const before = server.program.output.length;
      server.writeCorefile(corefile('192.0.2.3', '  nosuch\n'));
      server.program.signal('SIGUSR1');
      await waitFor('message', () => /nosuch/.test(server.program.output.slice(before)));
      await sleep(200);
      expectEqual(await answers(), '192.0.2.2');
      server.writeCorefile(corefile('192.0.2.4'));
      server.program.signal('SIGUSR1');
      await waitFor('newest answer', async () => (await answers()) === '192.0.2.4');
    });
    await checks.check('nothing is lost while it reloads ten times', async () => {
      let lost = 0;
      let asked = 0;
      for (let n = 0; n < 10; n++) {
        server.writeCorefile(corefile(`192.0.2.${n + 10}`));
        server.program.signal('SIGUSR1');
        for (const until = Date.now() + 200; Date.now() < until; asked++)
          lost += (await answers()) === undefined ? 1 : 0;
      }
      expectEqual(lost, 0, `lost of ${asked}`);
      await waitFor('last answer', async () => (await answers()) === '192.0.2.19');
      return `${asked} queries`;
    });
  } finally {
    await stopServer(server);
  }
}

async function checkLoop(checks) {
  await checks.check('a forwarding loop is named in the log, its zone is SERVFAIL, the process stays up', async () => {
    const port = await findFreePort();
    const folder = makeFolder('loop');
    fs.writeFileSync(
      path.join(folder, 'Corefile'),
      `.:${port} {\n  bind 127.0.0.1\n  loop\n  forward . 127.0.0.1:${port}\n}\n`,
    );
    const program = spawnServer(['-conf', path.join(folder, 'Corefile')]);
    const client = new DnsClient(port);
    try {
      await waitFor('the line about the loop', () => /[Ll]oop/.test(program.output), LIMIT_MS);
      expectEqual((await client.ask('example.org.', 'A'))?.rcode, 'SERVFAIL');
      expectEqual(program.ended, undefined, 'end of the process');
    } finally {
      client.close();
      await program.kill();
    }
  });
  await checks.check('a forwarding loop ends the process with 1 when asked to', async () => {
    const port = await findFreePort();
    const folder = makeFolder('loop');
    fs.writeFileSync(
      path.join(folder, 'Corefile'),
      `.:${port} {\n  bind 127.0.0.1\n  loop exit\n  forward . 127.0.0.1:${port}\n}\n`,
    );
    const { code, stderr, stdout } = await runOnce(['-conf', path.join(folder, 'Corefile')]);
    expect(code === 1 && /[Ll]oop/.test(stderr + stdout), `${code} ${stderr} ${stdout}`);
  });
}
