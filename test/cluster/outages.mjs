// What clients see while the API server expires its history, is killed, comes back, and tokens are exchanged: nothing.
// Main thread of a test program.
import fs from 'node:fs';
import { expect } from '../scenario/checks.mjs';
import { sleep, waitFor } from '../scenario/programs.mjs';
import { FIRST_TOKEN, makeService } from './objects.mjs';

const NAMESPACE = 'team-1';
const WATCHED_NAMES = 200;
const EXPIRIES = 3;
const DOWN_MS = 4000;
const SEEN_AGAIN_MS = 40_000;

/** Asks for the same names all the time and notes every answer that is not the one it was. */
class Watcher {
  asked = 0;
  wrong = [];
  isRunning = true;
  #ended;

  constructor(client, addresses) {
    const step = Math.max(1, Math.floor(addresses.size / WATCHED_NAMES));
    const names = [...addresses.keys()].filter((_, n) => n % step === 0);
    this.#ended = this.#run(client, names, addresses);
  }

  async #run(client, names, addresses) {
    for (let n = 0; this.isRunning; n = (n + 1) % names.length) {
      const name = names[n];
      const reply = await client.ask(name, 'A', { udpSize: 1232, timeoutMs: 1500 });
      this.asked++;
      const right = reply?.rcode === 'NOERROR' && reply.data.join() === addresses.get(name).join();
      if (!right) this.wrong.push(`${name}: ${reply === undefined ? 'no answer' : `${reply.rcode} ${reply.data}`}`);
      if (n % 20 === 0) await sleep(1);
    }
  }

  async end() {
    this.isRunning = false;
    await this.#ended;
    expect(
      this.wrong.length === 0,
      `${this.wrong.length} of ${this.asked} wrong: ${this.wrong.slice(0, 5).join('; ')}`,
    );
    return `${this.asked} answers`;
  }
}

/** How long a new Service takes from its creation to its answer. */
async function measureNew(api, client, name, clusterIP) {
  const service = makeService(name, NAMESPACE, clusterIP);
  const body = JSON.stringify(service);
  await waitFor('created Service', async () => {
    const reply = await api
      .request('POST', `/api/v1/namespaces/${NAMESPACE}/services`, { body })
      .catch(() => undefined);
    // 429 while the watch caches fill; 409 when an attempt got through after all.
    return reply?.status === 201 || reply?.status === 409;
  });
  const startMs = Date.now();
  await waitFor(
    `answer for ${name}`,
    async () => (await client.ask(`${name}.${NAMESPACE}.svc.cluster.local.`, 'A'))?.data.join() === clusterIP,
    SEEN_AGAIN_MS,
  );
  return Date.now() - startMs;
}

export async function checkOutages(checks, { api, account, tokensFile, server, addresses }) {
  const { client } = server;
  await checks.check(`${EXPIRIES} times all watches expire: no answer flickers, changes show again`, async () => {
    const watcher = new Watcher(client, addresses);
    const tookMs = [];
    for (let n = 0; n < EXPIRIES; n++) {
      const { status, body } = await api.request('POST', '/debug/expire');
      expect(status === 200, `expire: ${status} ${body}`);
      await sleep(1500);
      tookMs.push(await measureNew(api, client, `expired-${n}`, `10.113.0.${n + 1}`));
    }
    return `${await watcher.end()}, new Services after ${tookMs.join(', ')} ms`;
  });
  await checks.check('an object deleted while the watch was away is gone after the relist', async () => {
    await api.request('POST', '/debug/expire');
    const path = `/api/v1/namespaces/${NAMESPACE}/services/expired-0`;
    await waitFor('deletion', async () => (await api.request('DELETE', path)).status === 200);
    const name = `expired-0.${NAMESPACE}.svc.cluster.local.`;
    await waitFor('NXDOMAIN', async () => (await client.ask(name, 'A'))?.rcode === 'NXDOMAIN', SEEN_AGAIN_MS);
  });
  if (account === undefined) {
    checks.skip('token rotation', 'needs the in-cluster service account');
  } else {
    // Both tokens hold for a moment, as in a cluster; then only the new one.
    fs.writeFileSync(tokensFile, `${FIRST_TOKEN}\nsecond-token\n`);
    account.rotate('second-token');
    await sleep(500);
    fs.writeFileSync(tokensFile, 'second-token\n');
  }
  const title = account === undefined ? 'killed API server' : 'killed API server, and the old token is no longer valid';
  await checks.check(`${title}: answers stay, changes show again after its restart`, async () => {
    const watcher = new Watcher(client, addresses);
    await api.kill();
    await sleep(DOWN_MS);
    const askedWhileDown = watcher.asked;
    await api.start();
    const tookMs = await measureNew(api, client, 'restarted', '10.113.1.1');
    return `${await watcher.end()}, ${askedWhileDown} while it was down, new Service after ${tookMs} ms`;
  });
}
