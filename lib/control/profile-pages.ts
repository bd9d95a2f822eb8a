// The pages below /debug/pprof/: an index and the profiles. Control thread.
import type http from 'node:http';
import { PROFILE_KINDS, type Profiler, type ProfileKind } from './profiler.ts';

const ROOT = '/debug/pprof';
/** Go's default and what a request may ask for. */
const DEFAULT_SECONDS = 30;
const MAX_SECONDS = 300;
const MS_PER_SECOND = 1000;
/** Time to hand over a profile after it was taken. */
const TRANSFER_MS = 30_000;

/** Name of the page below the root, by kind. */
const PAGES = { cpu: 'profile', heap: 'heap' } as const satisfies Record<ProfileKind, string>;
const EXTENSIONS = { cpu: 'cpuprofile', heap: 'heapprofile' } as const satisfies Record<ProfileKind, string>;

/** Whether the path belongs to these pages. */
export function isProfilePath(path: string): boolean {
  return path === ROOT || path.startsWith(`${ROOT}/`);
}

type Answer = { readonly status: number; readonly body: string; readonly file?: string };

export class ProfilePages {
  readonly #profiler: Profiler;
  #busy = false;

  constructor(profiler: Profiler) {
    this.#profiler = profiler;
  }

  /** Answers a request for one of the pages. */
  answer(request: http.IncomingMessage, response: http.ServerResponse): void {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const page = url.pathname.slice(ROOT.length + 1);
    const kind = PROFILE_KINDS.find((name) => PAGES[name] === page);
    if (page === '') send(response, { status: 200, body: this.#index() });
    else if (kind === undefined) send(response, { status: 404, body: `no such profile, see ${ROOT}/\n` });
    else void this.#profile(kind, url.searchParams, response);
  }

  #index(): string {
    const lines = [
      'Profiles of V8, to be opened in the developer tools of Chrome or in speedscope.app:',
      '',
      `${ROOT}/profile?seconds=N&thread=T   CPU time, a .cpuprofile`,
      `${ROOT}/heap?seconds=N&thread=T      memory taken in that time and still in use, a .heapprofile`,
      '',
      `N is 1 to ${MAX_SECONDS}, ${DEFAULT_SECONDS} unless given. T is "control" or a worker, 0 to ${this.#profiler.workers - 1}, 0 unless given.`,
    ];
    return `${lines.join('\n')}\n`;
  }

  async #profile(kind: ProfileKind, search: URLSearchParams, response: http.ServerResponse): Promise<void> {
    const seconds = Number(search.get('seconds') ?? DEFAULT_SECONDS);
    const thread = search.get('thread') ?? '0';
    const worker = thread === 'control' ? -1 : /^\d+$/.test(thread) ? Number(thread) : Number.NaN;
    if (!(seconds >= 1 && seconds <= MAX_SECONDS) || !(worker < this.#profiler.workers)) {
      send(response, { status: 400, body: `seconds or thread is out of range, see ${ROOT}/\n` });
      return;
    }
    if (this.#busy) {
      send(response, { status: 503, body: 'another profile is being taken\n' });
      return;
    }
    this.#busy = true;
    response.setTimeout(seconds * MS_PER_SECOND + TRANSFER_MS);
    try {
      const body = await this.#profiler.profile(worker, kind, seconds * MS_PER_SECOND);
      send(response, { status: 200, body, file: `clusterdns-${thread}.${EXTENSIONS[kind]}` });
    } catch (error) {
      send(response, { status: 500, body: `${error instanceof Error ? error.message : String(error)}\n` });
    } finally {
      this.#busy = false;
    }
  }
}

function send(response: http.ServerResponse, { status, body, file }: Answer): void {
  response.statusCode = status;
  response.setHeader('content-type', file === undefined ? 'text/plain; charset=utf-8' : 'application/json');
  response.setHeader('x-content-type-options', 'nosniff');
  if (file !== undefined) response.setHeader('content-disposition', `attachment; filename="${file}"`);
  response.end(body);
}
