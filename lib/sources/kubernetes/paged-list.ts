// A complete list over HTTP, page by page, with no page's text held as a whole. Control thread.
import type { Connection } from './connection.ts';
import { ListScanner } from './json-list.ts';
import { yieldToEventLoop } from './object-view.ts';
import type { ObjectIdentity } from './objects/metadata.ts';
import type { Resource } from './resource.ts';

/** All objects of a resource at one version. */
export type CompleteList<T> = {
  readonly objects: Map<string, T>;
  readonly version: string;
  /** The server was asked for the newest state, not for one at least as new as some version. */
  readonly newest: boolean;
};

/** How a list is asked for. */
export type ListRequest = {
  /** '' for the newest state, '0' for any state, else at least this version. */
  readonly version: string;
  /** `Accept`; default JSON. */
  readonly accept?: string;
};

/** No object is larger: etcd refuses above 1.5 MB, text form and managedFields can double it. */
export const MAX_OBJECT_BYTES: number = 8 * 1024 * 1024;
const PAGE_SIZE = 500;
/** So long without a byte in the middle of a list is a fault. */
const QUIET_LIMIT_MS = 30_000;
/** Bytes handled before other work gets a turn. */
const TURN_BYTES = 32_768;

/**
 * Fetches all pages.
 *
 * @param connect makes the connection for one page
 * @param onItem is given each item as decoded
 * @param onBegin called when the server has begun to answer
 * @returns the version of the first page: a watch from there misses nothing
 * @throws Fault; ListFormatError, SyntaxError
 */
export async function fetchList<T extends ObjectIdentity>(
  resource: Resource<T>,
  request: ListRequest,
  connect: () => Connection,
  onItem: (raw: unknown) => void,
  onBegin: () => void,
): Promise<string> {
  let version = '';
  let token = '';
  do {
    const query = new URLSearchParams();
    // With a version other than 0 a limit would mean "exactly that version", read from etcd.
    if (request.version === '' || request.version === '0') query.set('limit', String(PAGE_SIZE));
    if (token !== '') query.set('continue', token);
    else if (request.version !== '') query.set('resourceVersion', request.version);
    const page = await fetchPage(resource, query, request.accept, connect, onItem, token === '' ? onBegin : undefined);
    if (token === '') version = page.resourceVersion;
    token = page.continueToken;
  } while (token !== '');
  return version;
}

/** The newest resourceVersion that the server knows, at the price of one object. @throws as fetchList */
export async function fetchVersion<T extends ObjectIdentity>(
  resource: Resource<T>,
  connect: () => Connection,
): Promise<string> {
  const page = await fetchPage(resource, new URLSearchParams({ limit: '1' }), undefined, connect, () => undefined);
  return page.resourceVersion;
}

async function fetchPage<T extends ObjectIdentity>(
  resource: Resource<T>,
  query: URLSearchParams,
  accept: string | undefined,
  connect: () => Connection,
  onItem: (raw: unknown) => void,
  onBegin?: () => void,
): Promise<{ resourceVersion: string; continueToken: string }> {
  const connection = connect();
  try {
    const body = await connection.open(resourcePath(resource, query), 'list', QUIET_LIMIT_MS, accept);
    onBegin?.();
    const scanner = new ListScanner((json) => onItem(JSON.parse(json.toString())), MAX_OBJECT_BYTES);
    let turnBytes = 0;
    for await (const chunk of body) {
      scanner.push(chunk);
      turnBytes += chunk.length;
      if (turnBytes < TURN_BYTES) continue;
      turnBytes = 0;
      await yieldToEventLoop();
    }
    return scanner.finish();
  } finally {
    connection.close();
  }
}

/** Path and query of a request, with the resource's selectors. */
export function resourcePath<T extends ObjectIdentity>(resource: Resource<T>, query: URLSearchParams): string {
  if (resource.labelSelector !== '') query.set('labelSelector', resource.labelSelector);
  if (resource.fieldSelector !== '') query.set('fieldSelector', resource.fieldSelector);
  return `${resource.path}?${query.toString()}`;
}
