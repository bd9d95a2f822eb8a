// The handle and the descriptor under a socket of Node's own, which Node does not show in public. Worker.
import type { Socket as DatagramSocket } from 'node:dgram';

type Handle = { readonly fd?: unknown };
type Handled = { readonly _handle?: Handle | null };

/** Of a server or a stream socket; -1 when it is closed or Node keeps it elsewhere. */
export function descriptorOf(socket: object): number {
  return readDescriptor((socket as Handled)._handle);
}

/** Of a datagram socket; -1 as above. */
export function datagramDescriptor(socket: DatagramSocket): number {
  return readDescriptor(datagramHandle(socket));
}

/** The handle of a datagram socket; undefined when it is closed or Node keeps it elsewhere. */
export function datagramHandle(socket: DatagramSocket): object | undefined {
  const key = Object.getOwnPropertySymbols(socket).find((symbol) => symbol.description === 'state symbol');
  const state = key && (socket as unknown as Record<symbol, { readonly handle?: object | null } | undefined>)[key];
  return state?.handle ?? undefined;
}

function readDescriptor(handle: Handle | null | undefined): number {
  const fd = handle?.fd;
  return typeof fd === 'number' ? fd : -1;
}
