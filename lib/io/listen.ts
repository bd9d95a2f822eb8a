// Has a server of Node's listen on an address of a listener. Worker.
import type net from 'node:net';

const BACKLOG = 1024;

export type ListenOptions = {
  /** Literal address. */
  readonly address: string;
  /** 0 lets the kernel choose. */
  readonly port: number;
  readonly family: 4 | 6;
  readonly reusePort: boolean;
  /** `::` also takes IPv4 clients. */
  readonly dualStack?: boolean;
};

/**
 * @param onError told of faults in accepting, for want of descriptors for instance; the server lives on
 * @returns the port
 * @throws Error of Node's with `code` (`EADDRINUSE`, ...), as a rejection
 */
export async function listen(
  server: net.Server,
  { address, port, family, reusePort, dualStack }: ListenOptions,
  onError: () => void,
): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    const ipv6Only = family === 6 && dualStack !== true;
    server.listen({ host: address, port, ipv6Only, reusePort, exclusive: true, backlog: BACKLOG }, () => {
      server.off('error', reject);
      server.on('error', onError);
      resolve();
    });
  });
  return (server.address() as net.AddressInfo).port;
}
