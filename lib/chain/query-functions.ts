// What expressions (`view`, `template`) can ask of a query, under CoreDNS's names. Both kinds of thread: setup checks, workers run.
import { formatIpAddress, type IpPrefix, isInPrefix, parseIpAddress, parseIpPrefix } from '../base/ip-address.ts';
import type { ArgumentShape, ContextFunction } from '../config/expression/compile.ts';
import { type ExpressionValue, ExpressionRunError, TYPE, type ValueType } from '../config/expression/value.ts';
import { formatClass } from '../wire/record.ts';
import { formatType } from '../wire/types.ts';
import { type Query, TRANSPORT } from './query.ts';

const STREAM_SIZE = 65_535;
const MIN_UDP_SIZE = 512;
const IPV4_BYTES = 4;

/** Functions over a context that holds a query. */
export function makeQueryFunctions<C>(queryOf: (context: C) => Query): Map<string, ContextFunction<C>> {
  const ask = (result: ValueType, run: (query: Query) => ExpressionValue): ContextFunction<C> => ({
    parameters: [],
    result,
    run: (context) => run(queryOf(context)),
  });
  const { STRING, INT, BOOL } = TYPE;
  return new Map<string, ContextFunction<C>>([
    ['bufsize', ask(INT, sizeOf)],
    ['class', ask(STRING, (query) => formatClass(query.qclass))],
    ['client_ip', ask(STRING, (query) => formatIpAddress(clientOf(query)))],
    ['do', ask(BOOL, (query) => query.dnssecOk)],
    ['id', ask(INT, (query) => query.id)],
    ['name', ask(STRING, (query) => query.formatName())],
    ['opcode', ask(INT, (query) => query.opcode)],
    ['port', ask(STRING, (query) => String(query.clientPort))],
    ['proto', ask(STRING, (query) => (query.transport === TRANSPORT.UDP ? 'udp' : 'tcp'))],
    ['server_ip', ask(STRING, (query) => formatIpAddress(serverOf(query)))],
    ['server_port', ask(STRING, (query) => String(query.serverPort))],
    ['size', ask(INT, (query) => query.packetLength)],
    ['type', ask(STRING, (query) => formatType(query.qtype))],
    ['incidr', makeInCidr(queryOf)],
    [
      'metadata',
      {
        parameters: [STRING],
        result: STRING,
        run: (context, [label]) => queryOf(context).metadata?.get(label as string) ?? '',
      },
    ],
  ]);
}

function sizeOf(query: Query): number {
  if (query.transport !== TRANSPORT.UDP) return STREAM_SIZE;
  return Math.max(MIN_UDP_SIZE, query.hasEdns ? query.udpSize : 0);
}

function clientOf(query: Query): Uint8Array {
  return query.clientAddress.subarray(0, query.family === 4 ? IPV4_BYTES : undefined);
}

function serverOf(query: Query): Uint8Array {
  return query.serverAddress.subarray(0, query.family === 4 ? IPV4_BYTES : undefined);
}

/** `incidr(client_ip(), 'PREFIX')`, by far its most common use, compares bytes. */
function makeInCidr<C>(queryOf: (context: C) => Query): ContextFunction<C> {
  return {
    parameters: [TYPE.STRING, TYPE.STRING],
    result: TYPE.BOOL,
    run: (_context, [address, prefix]) => isInCidr(address as string, prefix as string),
    specialize: ([address, prefix]) => {
      const range = typeof prefix?.constant === 'string' ? parseIpPrefix(prefix.constant) : undefined;
      const bytesOf = addressReader(address);
      if (range === undefined || bytesOf === undefined) return undefined;
      return (context) => isBelow(bytesOf(queryOf(context)), range);
    },
  };
}

function addressReader(shape: ArgumentShape | undefined): ((query: Query) => Uint8Array) | undefined {
  if (shape?.calls === 'client_ip') return clientOf;
  return shape?.calls === 'server_ip' ? serverOf : undefined;
}

function isBelow(address: Uint8Array, prefix: IpPrefix): boolean {
  return address.length === prefix.bytes.length && isInPrefix(address, prefix);
}

function isInCidr(address: string, prefix: string): boolean {
  const parsed = parseIpAddress(address);
  if (parsed === undefined || parsed.zone !== '') throw new ExpressionRunError('first argument is not an IP address');
  const range = parseIpPrefix(prefix);
  if (range === undefined) throw new ExpressionRunError(`invalid CIDR address: ${prefix}`);
  return isBelow(parsed.bytes, range);
}
