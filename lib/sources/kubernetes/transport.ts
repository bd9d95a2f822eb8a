// What a reflector needs from an HTTP client; a test hands in a scripted one. Control thread.

/** One GET. */
export type ApiRequest = {
  /** Path and query below the server's base: `/api/v1/services?limit=500`. */
  readonly path: string;
  /** Aborting closes the connection, also in the middle of the body. */
  readonly signal: AbortSignal;
  /** For metrics: `list` or `watch`. */
  readonly verb: 'list' | 'watch';
  /** What to ask for; default `application/json`. */
  readonly accept?: string;
};

/** The answer once its headers are here. Leaving the loop over `body` early closes the connection. */
export type ApiResponse = {
  readonly status: number;
  /** `Retry-After` in milliseconds; undefined when absent or not understood. */
  readonly retryAfterMs: number | undefined;
  /** Chunks at most some 64 KB large; the connection is read only as fast as they are taken. */
  readonly body: AsyncIterable<Uint8Array>;
};

export interface ApiTransport {
  /** @throws Error when no answer comes: refused, reset, TLS, credentials that cannot be read */
  get(request: ApiRequest): Promise<ApiResponse>;
  /** Credentials were refused (401): the next request must read them again. */
  refreshCredentials(): void;
}
