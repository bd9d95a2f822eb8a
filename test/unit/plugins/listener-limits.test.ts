// https, grpc_server and pprof: settings they leave, and what they refuse with CoreDNS's verdict and a line.
import test from 'ava';
import { ConfigError } from '../../../lib/base/errors.ts';
import { BlockRig } from './block-rig.ts';

test('https and grpc_server: limits of their own listeners; 0 is no limit', (t) => {
  const { listener } = new BlockRig('https {\nmax_connections 5\n}\ngrpc_server {\nmax_streams 0\nmax_connections 7\n}')
    .context;
  t.is(listener.httpsConnections, 5);
  t.is(listener.grpcConnections, 7);
  t.is(listener.grpcStreams, 0);
});

test('https and grpc_server without options leave the defaults', (t) => {
  const { listener } = new BlockRig('https\ngrpc_server {\n}').context;
  t.deepEqual(
    [listener.httpsConnections, listener.grpcConnections, listener.grpcStreams],
    [undefined, undefined, undefined],
  );
});

const PPROF: readonly (readonly [body: string, address: string, warnings: number])[] = [
  ['pprof', 'localhost:6053', 0],
  ['pprof :6054', ':6054', 0],
  ['pprof 127.0.0.1:6054 {\nblock\n}', '127.0.0.1:6054', 1],
  ['pprof {\nblock 3\n}', 'localhost:6053', 1],
];
for (const [body, address, warnings] of PPROF) {
  test(`service: ${JSON.stringify(body)}`, (t) => {
    const rig = new BlockRig(body);
    t.deepEqual(rig.services, [{ kind: 'pprof', address }]);
    t.is(rig.warnings.length, warnings);
  });
}

const REFUSED: readonly (readonly [body: string, code: ConfigError['code'], line: number])[] = [
  ['https 5', 'ARGUMENT_COUNT', 2],
  ['https\nhttps', 'DIRECTIVE_REPEATED', 3],
  ['https {\nmax_connections -1\n}', 'ARGUMENT_VALUE', 3],
  ['https {\nmax_connections many\n}', 'ARGUMENT_VALUE', 3],
  ['https {\nmax_connections\n}', 'ARGUMENT_COUNT', 3],
  ['https {\nmax_connections 5\nmax_connections 6\n}', 'OPTION_CONFLICT', 4],
  ['https {\nmax_streams 5\n}', 'OPTION_UNKNOWN', 3],
  ['grpc_server 1', 'ARGUMENT_COUNT', 2],
  ['grpc_server {\nmax_streams -1\n}', 'ARGUMENT_VALUE', 3],
  ['grpc_server {\nmax_streams 5\nmax_streams 5\n}', 'OPTION_CONFLICT', 4],
  ['grpc_server {\nmax_stream 5\n}', 'OPTION_UNKNOWN', 3],
  ['pprof nonsense', 'ARGUMENT_VALUE', 2],
  ['pprof 1 2', 'ARGUMENT_COUNT', 2],
  ['pprof\npprof', 'DIRECTIVE_REPEATED', 3],
  ['pprof {\nblock x\n}', 'ARGUMENT_VALUE', 3],
  ['pprof {\nblock 1 2\n}', 'ARGUMENT_COUNT', 3],
  ['pprof {\nfoo\n}', 'OPTION_UNKNOWN', 3],
];
for (const [body, code, line] of REFUSED) {
  test(`refused with a line: ${JSON.stringify(body)}`, (t) => {
    const error = t.throws(() => new BlockRig(body), { instanceOf: ConfigError });
    t.is(error.code, code);
    t.is(error.line, line);
  });
}
