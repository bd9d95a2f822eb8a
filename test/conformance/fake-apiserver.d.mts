// Types of what tests use of the fake API server.

type Filter = { readonly resource?: string };

export type FakeApiServer = {
  readonly url: string;
  readonly port: number;
  apply(objects: unknown, options?: { silent?: boolean }): { metadata: { resourceVersion: string } }[];
  delete(reference: unknown, options?: { silent?: boolean }): number;
  dropWatches(options?: Filter & { abrupt?: boolean }): number;
  gone(options?: { http?: boolean; drop?: boolean }): void;
  fail(
    options?: Filter & { status?: number; count?: number; verbs?: string[]; message?: string; retryAfter?: number },
  ): void;
  clearFail(): void;
  hang(options?: { on?: boolean; watches?: boolean }): void;
  bookmark(): void;
  freeze(options?: Filter): number;
  sendError(options?: Filter & { code?: number; reason?: string; message?: string; end?: boolean }): number;
  cutNext(options?: Filter): void;
  inject(options: { resource: string; type?: string; object?: unknown; line?: string }): void;
  putRaw(options: { resource: string; namespace?: string; name: string; object: unknown; event?: boolean }): unknown;
  setToken(token: string): void;
  slow(options?: { initialMs?: number }): void;
  snapshot(): object;
  lag(snapshot: object | null): void;
  restore(snapshot: object): void;
  connections(): Promise<number>;
  stats(): {
    rv: number;
    requests: {
      at: number;
      path: string;
      query: string;
      accept: string;
      userAgent: string;
      status: number;
      verb?: string;
      resource?: string;
      initial?: boolean;
      injected?: boolean;
    }[];
    watchers: { resource: string; namespace: string; since: number }[];
  };
  close(): Promise<void>;
};

export function start(options?: {
  port?: number;
  host?: string;
  objects?: unknown[];
  watchList?: boolean;
  bookmarkMs?: number;
  token?: string;
  mcs?: boolean;
}): Promise<FakeApiServer>;
