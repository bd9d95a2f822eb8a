// Directive `grpc_server` -> how many connections and requests the block's grpc listeners keep. Control thread.
import { expectOnce } from '../../chain/expect-once.ts';
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive } from '../../config/directive.ts';

const OPTIONS = ['max_streams', 'max_connections'] as const;
/** What an HTTP/2 setting can say. */
const MAX_STREAMS = 2 ** 31 - 1;

/** `grpc_server` has no handler. */
export type GrpcServerOptions = undefined;

/**
 * Reads `grpc_server { max_streams N ; max_connections N }`; 0 means no limit.
 *
 * @throws ConfigError `DIRECTIVE_REPEATED`, `ARGUMENT_COUNT`, `ARGUMENT_VALUE`, `OPTION_UNKNOWN`, `OPTION_CONFLICT`
 */
export function setupGrpcServer(directives: readonly Directive[], { listener }: SetupContext): GrpcServerOptions {
  const directive = expectOnce(directives);
  directive.expectArguments(0);
  const given = new Set<string>();
  for (const option of directive.options()) {
    if (!OPTIONS.some((name) => name === option.name)) throw directive.unknownOption(option, OPTIONS);
    option.expectArguments(1);
    if (given.has(option.name)) throw option.error('OPTION_CONFLICT', `${option.name} is given twice`);
    given.add(option.name);
    if (option.name === 'max_streams') {
      listener.grpcStreams = option.parseInteger(option.argument(), { min: 0, max: MAX_STREAMS });
    } else listener.grpcConnections = option.parseInteger(option.argument(), { min: 0 });
  }
}
