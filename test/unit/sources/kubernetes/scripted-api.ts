// An API server played by the test: every request waits until the test answers it, line by line.
import type { ApiRequest, ApiResponse, ApiTransport } from '../../../../lib/sources/kubernetes/transport.ts';

/** Lets promises and `setImmediate` turns of the code under test run out. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 12; turn++) await new Promise<void>((resolve) => void setImmediate(resolve));
}

/** A request of the code under test, to be answered by the test. */
export class ScriptedRequest {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly verb: string;
  aborted = false;
  #answer: (response: ApiResponse) => void;
  #refuse: (error: Error) => void;
  #queue: (Uint8Array | Error | null)[] = [];
  #wake: (() => void) | undefined;

  constructor(request: ApiRequest, answer: (response: ApiResponse) => void, refuse: (error: Error) => void) {
    const url = new URL(request.path, 'http://api');
    this.path = url.pathname;
    this.query = url.searchParams;
    this.verb = request.verb;
    this.#answer = answer;
    this.#refuse = refuse;
    request.signal.addEventListener('abort', () => {
      this.aborted = true;
      refuse(new Error('aborted'));
      this.#put(new Error('aborted'));
    });
  }

  /** Sends the headers. */
  async status(status: number, body?: unknown, retryAfterMs?: number): Promise<void> {
    this.#answer({ status, retryAfterMs, body: this.#body() });
    if (body !== undefined) {
      this.#put(Buffer.from(JSON.stringify(body)));
      this.#put(null);
    }
    await settle();
  }

  /** Sends the headers of a 200 and, if given, lines. */
  async ok(...lines: unknown[]): Promise<void> {
    this.#answer({ status: 200, retryAfterMs: undefined, body: this.#body() });
    await this.lines(...lines);
  }

  async lines(...lines: unknown[]): Promise<void> {
    for (const line of lines) this.#put(Buffer.from(`${JSON.stringify(line)}\n`));
    await settle();
  }

  async text(text: string): Promise<void> {
    this.#put(Buffer.from(text));
    await settle();
  }

  /** Answers a List. */
  async list(version: string, items: unknown[], token = ''): Promise<void> {
    const metadata = token === '' ? { resourceVersion: version } : { resourceVersion: version, continue: token };
    await this.status(200, { kind: 'ServiceList', apiVersion: 'v1', metadata, items });
  }

  /** Ends the body in good order. */
  async end(): Promise<void> {
    this.#put(null);
    await settle();
  }

  /** Cuts the connection. */
  async reset(): Promise<void> {
    const error = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
    this.#refuse(error);
    this.#put(error);
    await settle();
  }

  #put(part: Uint8Array | Error | null): void {
    this.#queue.push(part);
    this.#wake?.();
  }

  async *#body(): AsyncGenerator<Uint8Array, void> {
    for (;;) {
      while (this.#queue.length === 0)
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      const part = this.#queue.shift();
      if (part === null) return;
      if (part instanceof Error) throw part;
      yield part!;
    }
  }
}

export class ScriptedApi implements ApiTransport {
  /** All requests so far. */
  readonly requests: ScriptedRequest[] = [];
  refreshes = 0;
  #taken = 0;

  get(request: ApiRequest): Promise<ApiResponse> {
    return new Promise((resolve, reject) => {
      this.requests.push(new ScriptedRequest(request, resolve, reject));
    });
  }

  refreshCredentials(): void {
    this.refreshes++;
  }

  /** The next request that the test has not taken yet. */
  take(): ScriptedRequest {
    const request = this.requests[this.#taken];
    if (request === undefined) throw new Error('no request is waiting');
    this.#taken++;
    return request;
  }

  /** Requests that the test has not taken. */
  get waiting(): number {
    return this.requests.length - this.#taken;
  }
}

export function service(name: string, version: number, ip = '10.96.0.1'): Record<string, unknown> {
  return {
    kind: 'Service',
    metadata: { namespace: 'shop', name, resourceVersion: String(version) },
    spec: { type: 'ClusterIP', clusterIP: ip, clusterIPs: [ip], ports: [{ name: 'http', port: 80, protocol: 'TCP' }] },
  };
}

export function event(type: string, object: unknown): { type: string; object: unknown } {
  return { type, object };
}

export function bookmark(version: number, isInitialEnd = false): { type: string; object: unknown } {
  const annotations = isInitialEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {};
  return event('BOOKMARK', { kind: 'Service', metadata: { resourceVersion: String(version), ...annotations } });
}
