// Host names among upstreams, looked up through `resolver`: nameservers in their order, both families, what counts as a failure.
import dgram from 'node:dgram';
import { once } from 'node:events';
import dnsPacket from 'dns-packet';
import test, { type ExecutionContext } from 'ava';
import { resolveHost } from '../../../../lib/plugins/forward/resolve-host.ts';

type Records = Readonly<Record<string, readonly string[]>>;

/** A nameserver that knows these records by type, and what it was asked; without records it fails with SERVFAIL. */
async function serve(t: ExecutionContext, records?: Records): Promise<{ to: string; asked: string[] }> {
  const asked: string[] = [];
  const socket = dgram.createSocket('udp4');
  t.teardown(() => socket.close());
  socket.on('message', (bytes, from) => {
    const { id, questions } = dnsPacket.decode(bytes);
    const { name, type } = questions![0]!;
    asked.push(`${name} ${type}`);
    const answers = (records?.[type] ?? []).map((data) => ({ name, type: type as 'A', ttl: 60, data }));
    const flags = records === undefined ? 2 : 0;
    socket.send(
      dnsPacket.encode({ type: 'response', id: id!, flags, questions: questions!, answers }),
      from.port,
      from.address,
    );
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return { to: `127.0.0.1:${socket.address().port}`, asked };
}

test('resolver: addresses of both families, asked of the nameserver that is named and no other', async (t) => {
  const first = await serve(t, { A: ['192.0.2.1', '192.0.2.2'], AAAA: ['2001:db8::1'] });
  const second = await serve(t, { A: ['192.0.2.9'] });
  t.deepEqual(await resolveHost('dns.corp.test', [first.to, second.to]), ['192.0.2.1', '192.0.2.2', '2001:db8::1']);
  t.deepEqual(first.asked.toSorted(), ['dns.corp.test A', 'dns.corp.test AAAA']);
  t.deepEqual(second.asked, []);
});

test('resolver: a name with one family is enough', async (t) => {
  const { to } = await serve(t, { AAAA: ['2001:db8::1'] });
  t.deepEqual(await resolveHost('six.test', [to]), ['2001:db8::1']);
});

test('resolver: when one fails the next is asked; when all do, it is an error', async (t) => {
  const broken = await serve(t);
  const good = await serve(t, { A: ['192.0.2.1'] });
  t.deepEqual(await resolveHost('a.test', [broken.to, good.to]), ['192.0.2.1']);
  t.true(broken.asked.length > 0);
  await t.throwsAsync(resolveHost('a.test', [broken.to]), { message: /a\.test/ });
});
