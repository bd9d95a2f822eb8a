// What was wrong with an object from outside, so that one odd field costs only itself. Control thread.

/** One thing skipped while trimming an object; everything else of the object was kept. */
export type Problem = {
  readonly kind: string;
  /** `namespace/name`, or `name` for a cluster-wide object; as far as it could be read. */
  readonly object: string;
  /** Path of the field that was skipped: `spec.ports[1].port`. */
  readonly field: string;
  /** What is wrong with it, with the value that was seen: `not an IP address: "10.0.0.300"`. */
  readonly text: string;
};

/** What a trim function returns: `object` is undefined when nothing of it can be served. */
export type Trimmed<T> = { readonly object: T | undefined; readonly problems: readonly Problem[] };

const NONE: readonly Problem[] = Object.freeze([]);
/** Problems kept of one object; a slice holds up to 1,000 endpoints, all of which may be bad. */
const MAX_PROBLEMS = 8;
const MAX_SHOWN = 60;

/** Collects the problems of one object; allocates nothing while there are none. */
export class ProblemCollector {
  readonly #kind: string;
  /** Set once the metadata is read. */
  object = '';
  #found: Problem[] | undefined;
  #more = 0;

  constructor(kind: string) {
    this.#kind = kind;
  }

  /** Notes that `field` was skipped; `seen` is shown shortened, leave it out to show nothing. */
  add(field: string, text: string, seen?: unknown): void {
    this.#found ??= [];
    if (this.#found.length === MAX_PROBLEMS) {
      this.#more++;
      return;
    }
    const shown = seen === undefined ? text : `${text}: ${show(seen)}`;
    this.#found.push({ kind: this.#kind, object: this.object, field, text: shown });
  }

  finish<T>(object: T | undefined): Trimmed<T> {
    if (this.#found === undefined) return { object, problems: NONE };
    if (this.#more > 0)
      this.#found.push({ kind: this.#kind, object: this.object, field: '', text: `${this.#more} more fields skipped` });
    return { object, problems: this.#found };
  }
}

/** `Service shop/web: spec.ports[0].port: not a port number: 70000`, a line for the log. */
export function formatProblem(problem: Problem): string {
  const field = problem.field === '' ? '' : `${problem.field}: `;
  return `${problem.kind} ${problem.object === '' ? '(no name)' : problem.object}: ${field}${problem.text}`;
}

/** A value as JSON on one line, cut to 60 characters. */
function show(value: unknown): string {
  const text =
    typeof value === 'object' && value !== null
      ? Array.isArray(value)
        ? 'a list'
        : 'an object'
      : JSON.stringify(value);
  return text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN)}...`;
}
