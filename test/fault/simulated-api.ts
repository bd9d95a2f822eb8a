// An API server in injected time, for the fault bench: lists (paged and streaming), watches, bookmarks, compaction, and every
// way in which the real one has been seen to fail. It answers through the transport, so there are no sockets.
import type { ManualClock } from '../../lib/base/clock.ts';
import type { ApiRequest, ApiResponse, ApiTransport } from '../../lib/sources/kubernetes/transport.ts';

export type KubeObject = {
  kind: string;
  metadata: { name: string; namespace?: string; [field: string]: unknown };
  [field: string]: unknown;
};

/** A request as it came in. */
export type Seen = {
  readonly atMs: number;
  readonly resource: string;
  /** A list or a streaming list, not a further page. */
  readonly isList: boolean;
  readonly isWatch: boolean;
  readonly status: number;
};

type Event = {
  readonly version: number;
  readonly resource: string;
  readonly type: string;
  readonly object: KubeObject;
};
type Tables = Map<string, Map<string, KubeObject>>;
/** The state at one moment, to go back to. */
export type Moment = { readonly version: number; readonly tables: Tables };
type Refusal = {
  readonly status: number;
  readonly retryAfterMs?: number;
  readonly resource?: string;
  readonly verb?: 'list' | 'watch';
};

const PLURALS: Readonly<Record<string, string>> = {
  Namespace: 'namespaces',
  Service: 'services',
  EndpointSlice: 'endpointslices',
  Pod: 'pods',
};
const KINDS: Readonly<Record<string, string>> = Object.fromEntries(Object.entries(PLURALS).map(([k, p]) => [p, k]));
/** Real API servers send a bookmark about once a minute. */
const BOOKMARK_MS = 57_000;

/** One open watch. */
class Watch {
  readonly resource: string;
  readonly body: Body;
  frozen = false;
  cutNext = false;
  held: Event[] | undefined;
  from = 0;

  constructor(resource: string, body: Body) {
    this.resource = resource;
    this.body = body;
  }

  send(type: string, object: unknown): void {
    if (this.frozen) return;
    const line = `${JSON.stringify({ type, object })}\n`;
    if (!this.cutNext) return this.body.put(line);
    this.body.put(line.slice(0, line.length >> 1));
    this.body.fail('read ECONNRESET');
  }

  deliver(event: Event): void {
    if (this.held) this.held.push(event);
    else if (event.version > this.from) this.send(event.type, event.object);
  }
}

/** A response body that is written bit by bit. */
class Body {
  isOpen = true;
  #parts: (string | Error | null)[] = [];
  #wake: (() => void) | undefined;

  put(part: string | Error | null): void {
    if (!this.isOpen) return;
    if (typeof part !== 'string') this.isOpen = false;
    this.#parts.push(part);
    this.#wake?.();
  }

  end(): void {
    this.put(null);
  }

  fail(message: string): void {
    this.put(new Error(message));
  }

  async *read(): AsyncGenerator<Uint8Array, void> {
    try {
      for (;;) {
        while (this.#parts.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve));
        const part = this.#parts.shift();
        if (part === null || part === undefined) return;
        if (part instanceof Error) throw part;
        yield Buffer.from(part);
      }
    } finally {
      this.isOpen = false;
    }
  }
}

export class SimulatedApi implements ApiTransport {
  readonly seen: Seen[] = [];
  version = 100;
  /** Whether streaming lists are served; without them the client pages. */
  watchList: boolean;
  /** Nothing listens: every request is refused. */
  isDown = false;
  /** Connections are accepted and never answered. */
  hangs = false;
  /** Watches from before a compaction hear 410 as a status instead of an ERROR event. */
  goneAsStatus = false;
  /** The token that is accepted, and the one in the client's file; '' for none. */
  acceptedToken = '';
  tokenFile = '';
  refreshes = 0;
  mostConnections = 0;
  readonly #clock: ManualClock;
  readonly #watches = new Set<Watch>();
  readonly #connections = new Set<Body>();
  #tokenInUse = '';
  #tables: Tables = new Map();
  #history: Event[] = [];
  #compacted = 0;
  #refusals: Refusal[] = [];
  #behind: Moment | undefined;
  #listsToStall = 0;

  constructor(clock: ManualClock, watchList: boolean) {
    this.#clock = clock;
    this.watchList = watchList;
    this.#sendBookmarks();
  }

  // ---- what happens in the cluster

  /** Creates or replaces; `silent` loses the event. */
  apply(objects: KubeObject | readonly KubeObject[], { silent = false }: { silent?: boolean } = {}): void {
    for (const given of [objects].flat<(KubeObject | readonly KubeObject[])[]>()) {
      const table = this.#table(PLURALS[given.kind]!);
      const key = keyOf(given);
      this.version++;
      const object = { ...given, metadata: { ...given.metadata, resourceVersion: String(this.version) } };
      const type = table.has(key) ? 'MODIFIED' : 'ADDED';
      table.set(key, object);
      if (!silent) this.#record(type, object);
    }
  }

  delete(objects: KubeObject | readonly KubeObject[], { silent = false }: { silent?: boolean } = {}): void {
    for (const given of [objects].flat<(KubeObject | readonly KubeObject[])[]>()) {
      const table = this.#table(PLURALS[given.kind]!);
      const previous = table.get(keyOf(given));
      if (!previous) continue;
      this.version++;
      table.delete(keyOf(given));
      const metadata = { ...previous.metadata, resourceVersion: String(this.version) };
      if (!silent) this.#record('DELETED', { ...previous, metadata });
    }
  }

  /** The state now. */
  moment(): Moment {
    return { version: this.version, tables: new Map([...this.#tables].map(([name, table]) => [name, new Map(table)])) };
  }

  /** All objects there are. */
  objects(): KubeObject[] {
    return [...this.#tables.values()].flatMap((table) => [...table.values()]);
  }

  // ---- faults

  /** Open watches stay open and are silent for ever. */
  freeze(): void {
    for (const watch of this.#watches) watch.frozen = true;
  }

  /** Everything open is reset. */
  reset(resource?: string): void {
    for (const watch of this.#watches)
      if (resource === undefined || watch.resource === resource) watch.body.fail('read ECONNRESET');
    if (resource === undefined) for (const body of this.#connections) body.fail('read ECONNRESET');
  }

  /** All watches end in good order. */
  endWatches(): void {
    for (const watch of this.#watches) watch.body.end();
  }

  goDown(): void {
    this.isDown = true;
    this.reset();
  }

  comeBack(): void {
    this.isDown = false;
  }

  /** Forgets the history: no watch can be taken up again. */
  compact(): void {
    this.version++;
    this.#compacted = this.version;
    this.#history = [];
  }

  /** An event or a piece of text on the open watches of a resource; the state stays as it is. */
  inject(resource: string, what: { type: string; object: unknown } | string): void {
    for (const watch of this.#watches) {
      if (watch.resource !== resource) continue;
      if (typeof what === 'string') watch.body.put(what);
      else watch.send(what.type, what.object);
    }
  }

  /** The next event is cut in the middle of its line. */
  cutNext(): void {
    for (const watch of this.#watches) watch.cutNext = true;
  }

  /** The next streaming lists send half of their objects and then nothing. */
  stallNextLists(count: number): void {
    this.#listsToStall = count;
  }

  refuse(refusal: Refusal): void {
    this.#refusals.push(refusal);
  }

  refuseNothing(): void {
    this.#refusals = [];
  }

  /** Reads are served by a replica that stopped at this moment; undefined: it has caught up. */
  lagAt(moment: Moment | undefined): void {
    this.#behind = moment;
    if (moment !== undefined) return;
    for (const watch of this.#watches) {
      const { held } = watch;
      watch.held = undefined;
      for (const event of held ?? []) watch.deliver(event);
    }
  }

  /** etcd is restored from a backup: objects and version go back, all connections are cut; `silent`: without a word. */
  restore({ version, tables }: Moment, { silent = false }: { silent?: boolean } = {}): void {
    this.version = version;
    this.#tables = new Map([...tables].map(([name, table]) => [name, new Map(table)]));
    this.#history = [];
    this.#compacted = 0;
    if (!silent) this.reset();
  }

  // ---- what the tests look at

  get openWatches(): string[] {
    return [...this.#watches].map(({ resource }) => resource).sort();
  }

  get openConnections(): number {
    return this.#connections.size;
  }

  /** The shortest time between two lists of one resource, in milliseconds. */
  shortestListGapMs(): number {
    const last = new Map<string, number>();
    let shortest = Number.POSITIVE_INFINITY;
    for (const { resource, isList, atMs, status } of this.seen) {
      if (!isList || status !== 200) continue;
      shortest = Math.min(shortest, atMs - (last.get(resource) ?? Number.NEGATIVE_INFINITY));
      last.set(resource, atMs);
    }
    return shortest;
  }

  // ---- the transport

  async get(request: ApiRequest): Promise<ApiResponse> {
    const url = new URL(request.path, 'http://api');
    const resource = url.pathname.split('/').at(-1)!;
    const query = url.searchParams;
    const isWatch = query.get('watch') === 'true';
    const isList = isWatch ? query.has('sendInitialEvents') : !query.has('continue');
    if (this.isDown) throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    const body = new Body();
    this.#connections.add(body);
    this.mostConnections = Math.max(this.mostConnections, this.openConnections);
    const ended = new Promise<never>((_, reject) => {
      request.signal.addEventListener('abort', () => {
        this.#connections.delete(body);
        body.fail('aborted');
        reject(new Error('aborted'));
      });
    });
    ended.catch(() => undefined);
    // The connection is refused or cut while the request is on its way.
    if (this.hangs) return ended;
    const answer = this.#answer(resource, isWatch, query, body);
    this.seen.push({ atMs: this.#clock.nowMs(), resource, isList, isWatch, status: answer.status });
    return { ...answer, body: this.#read(body) };
  }

  refreshCredentials(): void {
    this.refreshes++;
    this.#tokenInUse = this.tokenFile;
  }

  async *#read(body: Body): AsyncGenerator<Uint8Array, void> {
    try {
      yield* body.read();
    } finally {
      this.#connections.delete(body);
      for (const watch of this.#watches) if (watch.body === body) this.#watches.delete(watch);
    }
  }

  #answer(
    resource: string,
    isWatch: boolean,
    query: URLSearchParams,
    body: Body,
  ): { status: number; retryAfterMs: number | undefined } {
    const refusal = this.#refusals.find(
      (each) =>
        (each.resource ?? resource) === resource &&
        (each.verb ?? (isWatch ? 'watch' : 'list')) === (isWatch ? 'watch' : 'list'),
    );
    if (refusal) return refuseWith(body, refusal.status, 'injected', refusal.retryAfterMs);
    if (this.acceptedToken !== '' && this.#tokenInUse !== this.acceptedToken)
      return refuseWith(body, 401, 'Unauthorized');
    return isWatch ? this.#watch(resource, query, body) : this.#list(resource, query, body);
  }

  #list(resource: string, query: URLSearchParams, body: Body): { status: number; retryAfterMs: number | undefined } {
    const asked = query.get('resourceVersion') ?? '';
    const behind = asked === '' ? undefined : this.#behind;
    const version = behind?.version ?? this.version;
    if (Number(asked) > version) return refuseWith(body, 504, 'Too large resource version', 1000);
    const all = [...((behind?.tables ?? this.#tables).get(resource)?.values() ?? [])];
    const from = Number(query.get('continue') ?? 0);
    const limit = Number(query.get('limit') ?? 0) || all.length;
    const metadata: Record<string, string> = { resourceVersion: String(version) };
    if (from + limit < all.length) metadata.continue = String(from + limit);
    // Objects of built-in kinds do not say their kind inside lists.
    const items = all.slice(from, from + limit).map((object) => ({ ...object, kind: undefined }));
    body.put(JSON.stringify({ kind: `${KINDS[resource]}List`, apiVersion: 'v1', metadata, items }));
    body.end();
    return { status: 200, retryAfterMs: undefined };
  }

  #watch(resource: string, query: URLSearchParams, body: Body): { status: number; retryAfterMs: number | undefined } {
    const asked = query.get('resourceVersion') ?? '';
    const isStreaming = query.has('sendInitialEvents');
    if (isStreaming && !this.watchList) return refuseWith(body, 422, 'sendInitialEvents is forbidden');
    const behind = asked === '' ? undefined : this.#behind;
    if (isStreaming && Number(asked) > (behind?.version ?? this.version))
      return refuseWith(body, 504, 'Too large resource version', 1000);
    if (!isStreaming && Number(asked) < this.#compacted) {
      if (this.goneAsStatus) return refuseWith(body, 410, 'too old resource version');
      body.put(`${JSON.stringify({ type: 'ERROR', object: status(410, 'too old resource version') })}\n`);
      body.end();
      return { status: 200, retryAfterMs: undefined };
    }
    const watch = new Watch(resource, body);
    this.#watches.add(watch);
    if (isStreaming) this.#sendInitial(watch, behind);
    else {
      watch.from = Number(asked);
      if (!behind) for (const event of this.#history) if (event.resource === resource) watch.deliver(event);
    }
    if (behind)
      watch.held = this.#history.filter((event) => event.resource === resource && event.version > behind.version);
    this.#clock.after(Number(query.get('timeoutSeconds')) * 1000, () => {
      if (!watch.frozen) body.end();
    });
    return { status: 200, retryAfterMs: undefined };
  }

  #sendInitial(watch: Watch, behind: Moment | undefined): void {
    const all = [...((behind?.tables ?? this.#tables).get(watch.resource)?.values() ?? [])];
    const isStalled = this.#listsToStall > 0;
    if (isStalled) this.#listsToStall--;
    for (const object of isStalled ? all.slice(0, all.length >> 1) : all) watch.send('ADDED', object);
    watch.from = behind?.version ?? this.version;
    if (isStalled) watch.frozen = true;
    else this.#bookmark(watch, watch.from, { 'k8s.io/initial-events-end': 'true' });
  }

  #bookmark(watch: Watch, version: number, annotations?: Record<string, string>): void {
    const metadata = { resourceVersion: String(version), ...(annotations ? { annotations } : {}) };
    watch.send('BOOKMARK', { kind: KINDS[watch.resource], metadata });
  }

  #sendBookmarks(): void {
    this.#clock.after(BOOKMARK_MS, () => {
      for (const watch of this.#watches) {
        // A server whose counter is behind the watch has no bookmark for it.
        if (!watch.held && this.version >= watch.from) this.#bookmark(watch, this.version);
      }
      this.#sendBookmarks();
    });
  }

  #record(type: string, object: KubeObject): void {
    const event = { version: this.version, resource: PLURALS[object.kind]!, type, object };
    this.#history.push(event);
    for (const watch of this.#watches) if (watch.resource === event.resource) watch.deliver(event);
  }

  #table(resource: string): Map<string, KubeObject> {
    let table = this.#tables.get(resource);
    if (!table) {
      table = new Map();
      this.#tables.set(resource, table);
    }
    return table;
  }
}

export function keyOf({ metadata }: KubeObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}

function status(code: number, message: string): object {
  const causes = message.startsWith('Too large') ? [{ reason: 'ResourceVersionTooLarge', message }] : [];
  return { kind: 'Status', code, message, details: { causes } };
}

function refuseWith(
  body: Body,
  code: number,
  message: string,
  retryAfterMs?: number,
): { status: number; retryAfterMs: number | undefined } {
  body.put(JSON.stringify(status(code, message)));
  body.end();
  return { status: code, retryAfterMs };
}
