import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'ava';
import { ConfigError, type ErrorCode } from '../../../../lib/base/errors.ts';
import { type ForwardOptions, setupForward } from '../../../../lib/plugins/forward/setup.ts';
import { directivesOf, makeContext } from '../fake-chain.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'forward-setup-'));
test.after.always(() => fs.rmSync(folder, { recursive: true }));
function write(name: string, text: string): string {
  const file = path.join(folder, name);
  fs.writeFileSync(file, text);
  return file;
}

async function setup(body: string): Promise<{ options: ForwardOptions; warnings: string[] }> {
  const context = makeContext();
  return { options: await setupForward(directivesOf('forward', body), context), warnings: context.warnings };
}

test('defaults are those of CoreDNS 1.14', async (t) => {
  const { options } = await setup('forward . 192.0.2.1 192.0.2.2');
  const { upstreams, shared: _s, list: _l, template: _t, loopLabel: _n, ...rest } = options.forwards[0]!;
  t.deepEqual(rest, {
    from: '.',
    except: [],
    policy: 'random',
    forceTcp: false,
    preferUdp: false,
    caseMixing: false,
    readTimeoutMs: 2000,
    maxFails: 2,
    maxConnectAttempts: undefined,
    maxConcurrent: 0,
    healthIntervalMs: 500,
    healthDomain: '.',
    healthRecursion: true,
    next: [],
    nextOnNodata: false,
    failover: [],
    failfast: false,
    clientRate: 0,
    failoverByDefault: true,
    hedge: true,
  });
  t.deepEqual(upstreams[0]!.target, {
    address: '192.0.2.1',
    port: 53,
    expireMs: 10_000,
    maxAgeMs: 0,
    maxIdleSockets: 0,
  });
});

test('every option is read', async (t) => {
  const { options } = await setup(`forward Example.ORG 192.0.2.1:5353 {
    except a.example.org 10.0.0.0/8
    except b.example.org
    force_tcp
    prefer_udp
    case_mixing
    expire 20s
    max_age 1m
    max_idle_conns 7
    read_timeout 300ms
    max_fails 5
    max_connect_attempts 9
    doh_method GET
    hedge off
    client_rate 100
    policy round_robin
    health_check 1s no_rec domain Health.test
    max_concurrent 1000
    next NXDOMAIN refused
    next_on_nodata
    failover SERVFAIL
    failfast_all_unhealthy_upstreams
    source_address 192.0.2.9
    resolver 192.0.2.53 [2001:db8::53]:5353
  }`);
  const { upstreams, shared: _s, list: _l, template: _t, loopLabel: _n, ...rest } = options.forwards[0]!;
  t.deepEqual(rest, {
    from: 'example.org.',
    except: ['a.example.org.', '10.in-addr.arpa.', 'b.example.org.'],
    policy: 'round_robin',
    forceTcp: true,
    preferUdp: true,
    caseMixing: true,
    readTimeoutMs: 300,
    maxFails: 5,
    maxConnectAttempts: 9,
    maxConcurrent: 1000,
    healthIntervalMs: 1000,
    healthDomain: 'health.test.',
    healthRecursion: false,
    next: [3, 5],
    nextOnNodata: true,
    failover: [2],
    failfast: true,
    clientRate: 100,
    failoverByDefault: true,
    hedge: false,
  });
  t.deepEqual(upstreams[0]!.target, {
    address: '192.0.2.1',
    port: 5353,
    sourceAddress: '192.0.2.9',
    expireMs: 20_000,
    maxAgeMs: 60_000,
    maxIdleSockets: 7,
  });
});

const TARGETS = [
  // word                               label                    address         port   server name
  ['192.0.2.1', '192.0.2.1:53', '192.0.2.1', 53, undefined],
  ['dns://192.0.2.1:5353', '192.0.2.1:5353', '192.0.2.1', 5353, undefined],
  ['2001:db8::1', '[2001:db8::1]:53', '2001:db8::1', 53, undefined],
  ['[2001:db8::1]:54', '[2001:db8::1]:54', '2001:db8::1', 54, undefined],
  ['fe80::1%eth0', '[fe80::1]:53', 'fe80::1%eth0', 53, undefined],
  ['tls://192.0.2.1', '192.0.2.1:853', '192.0.2.1', 853, ''],
  ['tls://192.0.2.1%dns.test', '192.0.2.1:853', '192.0.2.1', 853, 'dns.test'],
  ['tls://192.0.2.1%dns.test:8853', '192.0.2.1:8853', '192.0.2.1', 8853, 'dns.test'],
  ['tls://[2001:db8::1%dns.test]:8853', '[2001:db8::1]:8853', '2001:db8::1', 8853, 'dns.test'],
] as const;
for (const [word, to, address, port, serverName] of TARGETS) {
  test(`TO ${word} is ${to}${serverName === undefined ? '' : ' over TLS'}`, async (t) => {
    const [upstream] = (await setup(`forward . ${word}`)).options.forwards[0]!.upstreams;
    t.is(upstream?.to, to);
    t.is(upstream?.target.address, address);
    t.is(upstream?.target.port, port);
    t.is(upstream?.target.tls?.serverName, serverName);
  });
}

test('a resolv.conf gives its nameservers in order; an empty one is skipped beside others', async (t) => {
  const file = write(
    'resolv.conf',
    '# one\n; two\nsearch a b\noptions ndots:5\nnameserver 192.0.2.7\nnameserver  fe80::1%eth0 \nnameserver nonsense\n',
  );
  const empty = write('empty.conf', '# nothing\n');
  const { options } = await setup(`forward . ${file} ${empty} 192.0.2.7 192.0.2.8`);
  t.deepEqual(
    options.forwards[0]!.upstreams.map((upstream) => upstream.to),
    ['192.0.2.7:53', '[fe80::1]:53', '192.0.2.8:53'],
  );
});

test('a host name is resolved at setup, the rest is read at once', async (t) => {
  const context = makeContext();
  t.false(setupForward(directivesOf('forward', 'forward . 192.0.2.1'), context) instanceof Promise);
  const { options } = await setup('forward . localhost:5300');
  t.true(options.forwards[0]!.upstreams.some((upstream) => /^(127\.0\.0\.1|\[::1\]):5300$/.test(upstream.to)));
});

test('classes other than IN reach the upstreams', (t) => {
  const context = makeContext();
  void setupForward(directivesOf('forward', 'forward . 192.0.2.1'), context);
  t.true(context.listener.anyClass);
});

test('a port that no socket can have is accepted with a warning, a CIDR of several zones too', async (t) => {
  t.regex(
    (await setup('forward . 192.0.2.1:65536')).warnings[0]!,
    /^plugin\/forward: 192\.0\.2\.1:65536 in line 2 has no usable port/,
  );
  t.regex(
    (await setup('forward 10.0.0.0/23 192.0.2.1')).warnings[0]!,
    /10\.0\.0\.0\/23 in line 2 is more than one zone, only 0\.0\.10\.in-addr\.arpa\. is/,
  );
});

const REFUSED: readonly (readonly [string, ErrorCode, number, RegExp])[] = [
  // Corefile body                                         code              line  message
  ['forward', 'ARGUMENT_COUNT', 2, /takes at least 2 arguments/],
  ['forward .', 'ARGUMENT_COUNT', 2, /takes at least 2 arguments/],
  ['forward ./etc/resolv.conf 192.0.2.1', 'ARGUMENT_VALUE', 2, /expected a zone, not ".\/etc\/resolv.conf"/],
  ['forward . ""', 'ARGUMENT_VALUE', 2, /expected an address, a file or a host name, not ""/],
  ['forward . 300.1.1.1.1/x', 'ADDRESS', 2, /cannot resolve "300.1.1.1.1\/x"/],
  ['forward . grpc://192.0.2.1', 'ARGUMENT_VALUE', 2, /grpc:\/\/ upstreams are not supported/],
  ['forward . https://192.0.2.1/dns', 'ARGUMENT_VALUE', 2, /no path/],
  ['forward . nosuch.invalid {\n resolver 127.0.0.1:1\n}', 'ADDRESS', 2, /cannot resolve "nosuch.invalid"/],
  [`forward . ${'127.0.1.1 '.repeat(16)}`, 'ARGUMENT_COUNT', 2, /at most 15 upstreams/],
  ['forward . 192.0.2.1 {\n spray\n}', 'OPTION_UNKNOWN', 3, /unknown option "spray"/],
  ['forward . 192.0.2.1 {\n max_fail 2\n}', 'OPTION_UNKNOWN', 3, /did you mean "max_fails"/],
  ['forward . 192.0.2.1 {\n policy fastest\n}', 'ARGUMENT_VALUE', 3, /expected random or round_robin or sequential/],
  ['forward . 192.0.2.1 {\n failover NOERROR\n}', 'ARGUMENT_VALUE', 3, /NOERROR is not a failure/],
  ['forward . 192.0.2.1 {\n next NOSUCH\n}', 'ARGUMENT_VALUE', 3, /a response code/],
  ['forward . 192.0.2.1 {\n max_fails many\n}', 'ARGUMENT_VALUE', 3, /an integer/],
  ['forward . 192.0.2.1 {\n max_fails 4294967296\n}', 'ARGUMENT_VALUE', 3, /an integer from 0 to 4294967295/],
  ['forward . 192.0.2.1 {\n max_concurrent -4\n}', 'ARGUMENT_VALUE', 3, /an integer/],
  ['forward . 192.0.2.1 {\n expire 10\n}', 'ARGUMENT_VALUE', 3, /a duration with a unit/],
  ['forward . 192.0.2.1 {\n expire -1s\n}', 'ARGUMENT_VALUE', 3, /of at least/],
  ['forward . 192.0.2.1 {\n max_age 5s\n}', 'OPTION_CONFLICT', 2, /max_age must not be less than expire/],
  ['forward . 192.0.2.1 {\n read_timeout 0\n}', 'ARGUMENT_VALUE', 3, /a duration/],
  ['forward . 192.0.2.1 {\n health_check\n}', 'ARGUMENT_COUNT', 3, /health_check: takes at least 1 argument/],
  ['forward . 192.0.2.1 {\n health_check 1s often\n}', 'ARGUMENT_VALUE', 3, /expected no_rec or domain/],
  ['forward . 192.0.2.1 {\n except\n}', 'ARGUMENT_COUNT', 3, /except: takes at least 1 argument/],
  ['forward . 192.0.2.1 {\n force_tcp yes\n}', 'ARGUMENT_COUNT', 3, /force_tcp: takes no arguments/],
  ['forward . 192.0.2.1 {\n source_address here\n}', 'ARGUMENT_VALUE', 3, /an IP address/],
  ['forward . 192.0.2.1 {\n resolver here\n}', 'ARGUMENT_VALUE', 3, /an IP address/],
  ['forward . tls://192.0.2.1 {\n tls /nosuch/ca.pem\n}', 'FILE', 3, /cannot read \/nosuch\/ca.pem: ENOENT/],
  ['forward . tls://192.0.2.1%a.test {\n tls_servername b.test\n}', 'OPTION_CONFLICT', 2, /exclude each other/],
  [`forward . ${write('none.conf', 'search test\n')}`, 'ARGUMENT_VALUE', 2, /no nameserver line/],
];
for (const [body, code, line, message] of REFUSED) {
  test(`refused: ${body.replaceAll('\n', ' ').slice(0, 70)}`, async (t) => {
    const error = await t.throwsAsync(() => setup(body), { instanceOf: ConfigError });
    t.is(error.code, code);
    t.is(error.line, line);
    t.regex(error.message, message);
    t.true(error.message.startsWith('forward: '));
  });
}
