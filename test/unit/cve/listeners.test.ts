// What must hold on every listener: UDP, TCP, TLS, HTTPS by both versions and both methods, gRPC.
import { createHmac } from 'node:crypto';
import net from 'node:net';
import test from 'ava';
import { ManualClock } from '../../../lib/base/clock.ts';
import { Outcome } from '../../../lib/chain/outcome.ts';
import type { Env, Handler } from '../../../lib/chain/plugin.ts';
import { TsigVerifier } from '../../../lib/chain/tsig.ts';
import { openTcp } from '../../../lib/io/tcp.ts';
import { createTsigHandler } from '../../../lib/plugins/tsig/handler.ts';
import { OPCODE, RCODE } from '../../../lib/wire/types.ts';
import { WAYS, listen } from './every-listener.ts';

const NOW_MS = 1_795_353_575_000;
const SECRET = Buffer.from('a secret of thirty-two bytes, no more');
const KEY_NAME = Buffer.from('\u0003key\u0000', 'latin1');
const ALGORITHM = Buffer.from('\u000bhmac-sha256\u0000', 'latin1');

function queryFor(opcode: number, additional = 0): Buffer {
  const question = Buffer.from('\u0001x\u0004auth\u0004test\u0000\u0000\u0001\u0000\u0001', 'latin1');
  return Buffer.concat([Uint8Array.of(0x12, 0x34, opcode << 3, 0, 0, 1, 0, 0, 0, 0, 0, additional), question]);
}

/** A query with a TSIG record (RFC 8945 section 4.2). */
function signed(secret: Buffer, { ageSeconds = 0, spoil = false, keyName = KEY_NAME } = {}): Buffer {
  const time = Buffer.alloc(6);
  time.writeUIntBE(NOW_MS / 1000 - ageSeconds, 0, 6);
  const fudge = Uint8Array.of(1, 44);
  const code = createHmac('sha256', secret)
    .update(queryFor(OPCODE.QUERY))
    .update(Buffer.concat([keyName, Uint8Array.of(0, 255, 0, 0, 0, 0), ALGORITHM, time, fudge, Buffer.alloc(4)]))
    .digest();
  if (spoil) code[7]! ^= 1;
  const id = Uint8Array.of(0x12, 0x34, 0, 0, 0, 0);
  const rdata = Buffer.concat([ALGORITHM, time, fudge, Uint8Array.of(0, code.length), code, id]);
  const fixed = Uint8Array.of(0, 250, 0, 255, 0, 0, 0, 0, rdata.length >> 8, rdata.length & 255);
  return Buffer.concat([queryFor(OPCODE.QUERY, 1), keyName, fixed, rdata]);
}

const UNSIGNED = queryFor(OPCODE.QUERY);
const SIGNATURES: readonly (readonly [what: string, message: Buffer, rcode: number])[] = [
  ['a right signature', signed(SECRET), RCODE.NOERROR],
  ['none', UNSIGNED, RCODE.REFUSED],
  ['a code with a bit turned', signed(SECRET, { spoil: true }), RCODE.NOTAUTH],
  ['the code of another secret', signed(Buffer.from('another secret')), RCODE.NOTAUTH],
  ['the name of another key', signed(SECRET, { keyName: Buffer.from('\u0003yek\u0000', 'latin1') }), RCODE.NOTAUTH],
  ['the right code of an hour ago', signed(SECRET, { ageSeconds: 3600 }), RCODE.NOTAUTH],
];

/** -1 for no message. */
function rcodeOf(reply: Buffer | undefined): number {
  return reply === undefined ? -1 : reply[3]! & 15;
}

for (const [way, kind, ask] of WAYS) {
  test(`CVE-2026-33190, CVE-2026-35579: ${way}: signatures are verified, and nothing else gets through`, async (t) => {
    let passed = 0;
    const next: Handler = () => {
      passed++;
      return Outcome.ANSWERED;
    };
    const options = { zones: ['auth.test.'], types: 'all', opcodes: [] } as const;
    const handler = createTsigHandler(options, { next } as unknown as Env);
    const tsig = new TsigVerifier({ 'key.': new Uint8Array(SECRET) });
    const port = await listen(t, kind, handler, { tsig, nowMs: NOW_MS });
    for (const [what, message, rcode] of SIGNATURES) {
      const before = passed;
      const reply = await ask(t, port, message);
      t.is(rcodeOf(reply), rcode, what);
      t.is(passed - before, rcode === RCODE.NOERROR ? 1 : 0, what);
    }
  });

  test(`CVE-2026-86003: ${way}: messages other than QUERY and NOTIFY reach no plugin`, async (t) => {
    const opcodes: number[] = [];
    const port = await listen(t, kind, (query) => {
      opcodes.push(query.opcode);
      return Outcome.ANSWERED;
    });
    for (let opcode = 0; opcode < 16; opcode++) {
      const reply = await ask(t, port, queryFor(opcode));
      const isTaken = opcode === OPCODE.QUERY || opcode === OPCODE.NOTIFY;
      if (reply !== undefined) t.is(reply[3]! & 15, isTaken ? RCODE.NOERROR : RCODE.NOTIMP, `opcode ${opcode}`);
      else t.false(isTaken, `opcode ${opcode} has no reply`);
    }
    t.deepEqual(opcodes, [OPCODE.QUERY, OPCODE.NOTIFY]);
  });

  test(`${way}: classes other than IN reach no plugin unless one asks for them`, async (t) => {
    let passed = 0;
    const port = await listen(t, kind, () => {
      passed++;
      return Outcome.ANSWERED;
    });
    for (const qclass of [0, 2, 3, 4, 254, 255, 65_535]) {
      const message = queryFor(OPCODE.QUERY);
      message.writeUInt16BE(qclass, message.length - 2);
      t.is(rcodeOf(await ask(t, port, message)), RCODE.REFUSED, `class ${qclass}`);
    }
    t.is(passed, 0);
  });
}

test('CVE-2017-15133: 300 clients whose message never ends keep nobody out, and are sent away in time', async (t) => {
  const clock = new ManualClock();
  const handler = {
    begin: () => undefined,
    end: () => undefined,
    packet: (rx: Uint8Array, rxAt: number, rxLength: number, tx: Uint8Array, txAt: number) => {
      tx.set(rx.subarray(rxAt, rxAt + rxLength), txAt);
      return rxLength;
    },
  };
  const listener = await openTcp({ address: '127.0.0.1', port: 0, family: 4, reusePort: false, clock }, handler);
  t.teardown(() => listener.close());
  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
  };
  let ended = 0;
  for (let i = 0; i < 300; i++) {
    const slow = net.connect(listener.port, '127.0.0.1');
    t.teardown(() => slow.destroy());
    slow.on('error', () => undefined);
    slow.on('close', () => ended++);
    slow.resume().write(Uint8Array.of(0, 200, 1));
    await until(() => listener.connections === i + 1);
  }
  const [, , askTcp] = WAYS.find(([, kind]) => kind === 'tcp')!;
  const query = queryFor(OPCODE.QUERY);
  t.deepEqual(await askTcp(t, listener.port, query), query);
  const advance = setInterval(() => clock.advance(1000), 5);
  t.teardown(() => clearInterval(advance));
  await until(() => ended === 300);
  t.true(listener.counters.timeouts >= 300);
});
