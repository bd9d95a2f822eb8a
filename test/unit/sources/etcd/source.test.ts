// The source against a real etcd (Debian's etcd-server): first view, changes, leases, a stop and a start of etcd.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { systemClock } from '../../../../lib/base/clock.ts';
import { readServiceRecords, SERVICE_FLAG } from '../../../../lib/chain/service-record.ts';
import type { Source } from '../../../../lib/sources/source.ts';
import { startEtcdSource } from '../../../../lib/sources/etcd/source.ts';
import { relativeNameHash } from '../../../../lib/store/name-hash.ts';
import { createStoreMemory } from '../../../../lib/store/layout.ts';
import { StoreReader } from '../../../../lib/store/reader.ts';
import { SERVICES_TYPE } from '../../../../lib/store/rrset-form.ts';
import { StoreWriter } from '../../../../lib/store/writer.ts';
import { parseName } from '../../../../lib/wire/name.ts';
import { keepLines } from '../../plugins/block-rig.ts';

function hasEtcd(): boolean {
  try {
    execFileSync('etcd', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
const withEtcd = hasEtcd() ? test : test.skip;
if (!hasEtcd()) test('skipped: there is no etcd here (Debian: etcd-server)', (t) => t.pass());

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10));
}

class Etcd {
  readonly #folder = fs.mkdtempSync(path.join(os.tmpdir(), 'etcd-test-'));
  readonly #port: number;
  readonly #peerPort: number;
  #process: ChildProcess | undefined;

  constructor(port: number, peerPort: number) {
    this.#port = port;
    this.#peerPort = peerPort;
  }

  static async start(t: ExecutionContext): Promise<Etcd> {
    const etcd = new Etcd(await freePort(), await freePort());
    t.teardown(async () => {
      await etcd.stop();
      fs.rmSync(etcd.#folder, { recursive: true, force: true });
    });
    await etcd.run();
    return etcd;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async run(): Promise<void> {
    const peer = `http://127.0.0.1:${this.#peerPort}`;
    const words = ['--data-dir', this.#folder, '--listen-client-urls', this.url, '--advertise-client-urls', this.url];
    words.push(
      '--listen-peer-urls',
      peer,
      '--initial-advertise-peer-urls',
      peer,
      '--initial-cluster',
      `default=${peer}`,
    );
    this.#process = spawn('etcd', words, { stdio: 'ignore' });
    await until(() =>
      this.call('/v3/maintenance/status', {}).then(
        () => true,
        () => false,
      ),
    );
  }

  async stop(): Promise<void> {
    const running = this.#process;
    this.#process = undefined;
    if (!running) return;
    running.kill('SIGKILL');
    await once(running, 'exit');
  }

  async call(path: string, body: unknown): Promise<Record<string, unknown>> {
    const response = await fetch(`${this.url}${path}`, { method: 'POST', body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`status ${response.status}: ${await response.text()}`);
    return (await response.json()) as Record<string, unknown>;
  }

  async put(key: string, service: object, lease = '0'): Promise<void> {
    const value = Buffer.from(JSON.stringify(service)).toString('base64');
    await this.call('/v3/kv/put', { key: Buffer.from(key).toString('base64'), value, lease });
  }

  async delete(key: string): Promise<void> {
    await this.call('/v3/kv/deleterange', { key: Buffer.from(key).toString('base64') });
  }
}

/** A source with its store. */
class Followed {
  readonly lines: string[] = [];
  readonly source: Source;
  readonly #reader: StoreReader;
  readonly #tree: number;

  constructor(t: ExecutionContext, endpoints: readonly string[], access: object = {}) {
    const memory = createStoreMemory({ arenaBytes: 2 ** 23, readers: 1 });
    const writer = new StoreWriter(memory);
    this.#tree = writer.openTree();
    this.#reader = new StoreReader(memory, 0);
    this.source = startEtcdSource(
      {
        access: { endpoints, ...access },
        prefix: '/skydns/',
        zones: ['skydns.local.'],
        minLeaseTtlSeconds: 30,
        maxLeaseTtlSeconds: 86_400,
      },
      { writer, tree: this.#tree, clock: systemClock, log: keepLines(this.lines), cells: new Float64Array(8) },
    );
    t.teardown(() => this.source.stop());
  }

  /** Addresses with their TTL that a name answers with, in order. */
  hosts(name: string): string[] {
    const wire = parseName(name)!;
    const reader = this.#reader;
    const length = wire.length - 1;
    const entry = reader.find(this.#tree, wire, 0, length, relativeNameHash(this.#tree, wire, 0, length));
    if (entry === 0) return [];
    const rrset = reader.findRrset(entry, SERVICES_TYPE);
    return readServiceRecords(reader.bytes, reader.bytesAt(rrset) + 1, reader.recordCount(rrset))
      .filter(({ flags }) => (flags & SERVICE_FLAG.LISTED) !== 0)
      .map(({ host, ttlSeconds }) => `${host.join('.')} ${ttlSeconds}`);
  }

  isSynced(): boolean {
    return this.#reader.isSynced(this.#tree);
  }
}

withEtcd('etcd: all keys at the start, page by page, then each change', async (t) => {
  const etcd = await Etcd.start(t);
  await Promise.all(
    Array.from({ length: 1205 }, (_, i) =>
      etcd.put(`/skydns/local/skydns/many/s${i}`, { host: `10.9.${i >> 8}.${i & 255}` }),
    ),
  );
  await etcd.put('/skydns/local/skydns/web/a', { host: '10.0.0.1' });
  await etcd.put('/skydns/local/skydns/bad', {});
  await etcd.put('/skydns/org/elsewhere', { host: '10.0.0.2' });
  const followed = new Followed(t, [etcd.url]);
  await followed.source.ready;
  t.true(followed.isSynced());
  t.deepEqual(followed.hosts('web.skydns.local'), ['10.0.0.1 300']);
  t.deepEqual(followed.hosts('s1204.many.skydns.local'), ['10.9.4.180 300']);
  t.is(followed.hosts('many.skydns.local').length, 1000);
  t.deepEqual(followed.hosts('elsewhere.org'), []);

  await etcd.put('/skydns/local/skydns/web/b', { host: '10.0.0.3', ttl: 7 });
  await until(() => followed.hosts('web.skydns.local').length === 2);
  t.deepEqual(followed.hosts('web.skydns.local'), ['10.0.0.1 300', '10.0.0.3 7']);
  await etcd.put('/skydns/local/skydns/web/a', { host: '10.0.0.4' });
  await until(() => followed.hosts('web.skydns.local')[0] === '10.0.0.4 300');
  await etcd.delete('/skydns/local/skydns/web/b');
  await until(() => followed.hosts('web.skydns.local').length === 1);
  t.deepEqual(followed.hosts('b.web.skydns.local'), []);
});

withEtcd('etcd: the lease of a key bounds its TTL, and its end is the end of the name', async (t) => {
  const etcd = await Etcd.start(t);
  const { ID } = await etcd.call('/v3/lease/grant', { TTL: '120' });
  await etcd.put('/skydns/local/skydns/leased', { host: '10.0.0.1' }, String(ID));
  const followed = new Followed(t, [etcd.url]);
  await followed.source.ready;
  const [text = ''] = followed.hosts('leased.skydns.local');
  const ttlSeconds = Number(text.split(' ')[1]);
  t.true(ttlSeconds > 60 && ttlSeconds <= 120, text);
  await etcd.call('/v3/lease/revoke', { ID });
  await until(() => followed.hosts('leased.skydns.local').length === 0);
  t.pass();
});

withEtcd('etcd: while it is away names stay; afterwards what changed meanwhile is there', async (t) => {
  const etcd = await Etcd.start(t);
  await etcd.put('/skydns/local/skydns/stays', { host: '10.0.0.1' });
  await etcd.put('/skydns/local/skydns/goes', { host: '10.0.0.2' });
  const followed = new Followed(t, [etcd.url]);
  await followed.source.ready;
  await etcd.stop();
  await until(() => followed.lines.length > 0);
  t.regex(followed.lines[0]!, /^\[WARNING\] .*names stay as they were$/);
  t.deepEqual(followed.hosts('goes.skydns.local'), ['10.0.0.2 300']);
  await etcd.run();
  await etcd.delete('/skydns/local/skydns/goes');
  await etcd.put('/skydns/local/skydns/new', { host: '10.0.0.3' });
  await until(() => followed.hosts('new.skydns.local').length === 1);
  t.deepEqual(followed.hosts('stays.skydns.local'), ['10.0.0.1 300']);
  t.deepEqual(followed.hosts('goes.skydns.local'), []);
});

withEtcd('etcd: the next endpoint is asked when one does not answer', async (t) => {
  const etcd = await Etcd.start(t);
  await etcd.put('/skydns/local/skydns/web', { host: '10.0.0.1' });
  const followed = new Followed(t, [`http://127.0.0.1:${await freePort()}`, etcd.url]);
  await followed.source.ready;
  t.deepEqual(followed.hosts('web.skydns.local'), ['10.0.0.1 300']);
});

withEtcd('etcd: user and password are used', async (t) => {
  const etcd = await Etcd.start(t);
  await etcd.put('/skydns/local/skydns/web', { host: '10.0.0.1' });
  await etcd.call('/v3/auth/user/add', { name: 'root', password: 'secret' });
  await etcd.call('/v3/auth/role/add', { name: 'root' });
  await etcd.call('/v3/auth/user/grant', { user: 'root', role: 'root' });
  await etcd.call('/v3/auth/enable', {});
  const refused = new Followed(t, [etcd.url]);
  await until(() => refused.lines.length > 0);
  t.false(refused.source.isReady());
  t.is(refused.source.waitingFor(), `etcd at ${etcd.url}`);
  const followed = new Followed(t, [etcd.url], { user: { name: 'root', password: 'secret' } });
  await followed.source.ready;
  t.deepEqual(followed.hosts('web.skydns.local'), ['10.0.0.1 300']);
});
