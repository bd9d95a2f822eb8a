// How soon a change that kubectl makes shows in the answers, measured from the moment a watch of our own reads the event.
// Main thread of a test program.
import { expect } from '../scenario/checks.mjs';
import { waitFor } from '../scenario/programs.mjs';
import { makeService, makeSlice } from './objects.mjs';

const ROUNDS = 12;
const MEDIAN_LIMIT_MS = 10;
const NAMESPACE = 'team-0';

/** Times at which events were read, by type and object. */
class EventClock {
  #times = new Map();

  note({ type, object }, atMs) {
    this.#times.set(`${type} ${object.kind}/${object.metadata?.name}`, atMs);
  }

  forget(type, { kind, metadata }) {
    this.#times.delete(`${type} ${kind}/${metadata.name}`);
  }

  read(type, { kind, metadata }) {
    return waitFor(
      `event ${type} ${metadata.name}`,
      () => this.#times.get(`${type} ${kind}/${metadata.name}`),
      10_000,
      2,
    );
  }
}

/** Asks without a pause until the answer is the wanted one; the time at which it came. */
async function waitAnswer(client, name, wanted) {
  const deadline = performance.now() + 15_000;
  for (;;) {
    const reply = await client.ask(name, 'A', { timeoutMs: 1000 });
    const seen = reply === undefined ? undefined : [reply.rcode, ...reply.data].join(' ');
    if (seen === wanted) return performance.now();
    if (performance.now() > deadline) throw new Error(`${name}: still ${seen}, want ${wanted}`);
  }
}

export async function checkPropagation(checks, api, editor, client) {
  const clock = new EventClock();
  const note = (event, atMs) => clock.note(event, atMs);
  const ends = [
    await api.watch('/api/v1/services', note),
    await api.watch('/apis/discovery.k8s.io/v1/endpointslices', note),
  ];
  const delays = { created: [], changed: [], deleted: [], 'changed endpoints': [] };
  const measure = async (kind, act, type, object, name, wanted) => {
    clock.forget(type, object);
    const visible = waitAnswer(client, name, wanted);
    const [atMs] = await Promise.all([visible, act(object)]);
    delays[kind].push(Math.max(0, atMs - (await clock.read(type, object))));
  };
  try {
    for (let n = 0; n < ROUNDS; n++) await measureRound(n, editor, measure);
    await measureSlices(editor, measure);
  } finally {
    for (const end of ends) end();
  }
  for (const [kind, all] of Object.entries(delays)) {
    const sorted = all.toSorted((a, b) => a - b);
    const median = sorted[sorted.length >> 1];
    await checks.check(
      `${kind} with ${editor.name}: answered within ${MEDIAN_LIMIT_MS} ms of the event, median`,
      () => {
        expect(
          median <= MEDIAN_LIMIT_MS,
          `median ${median?.toFixed(1)} ms: ${sorted.map((ms) => ms.toFixed(1)).join(' ')}`,
        );
        return `median ${median.toFixed(1)} ms, at most ${sorted.at(-1).toFixed(1)} ms of ${sorted.length}`;
      },
    );
  }
}

async function measureRound(n, editor, measure) {
  const service = makeService(`late-${n}`, NAMESPACE, `10.111.0.${n + 1}`);
  const name = `late-${n}.${NAMESPACE}.svc.cluster.local.`;
  await measure('created', (object) => editor.create(object), 'ADDED', service, name, `NOERROR 10.111.0.${n + 1}`);
  const changed = makeService(`late-${n}`, NAMESPACE, `10.111.1.${n + 1}`);
  await measure('changed', (object) => editor.change(object), 'MODIFIED', changed, name, `NOERROR 10.111.1.${n + 1}`);
  await measure('deleted', (object) => editor.delete(object), 'DELETED', changed, name, 'NXDOMAIN');
}

async function measureSlices(editor, measure) {
  const name = `heads.${NAMESPACE}.svc.cluster.local.`;
  await editor.create(makeService('heads', NAMESPACE, 'None'));
  await editor.create(makeSlice('heads', NAMESPACE, ['10.112.0.1']));
  for (let n = 2; n < ROUNDS / 2 + 2; n++) {
    const slice = makeSlice('heads', NAMESPACE, [`10.112.0.${n}`]);
    await measure(
      'changed endpoints',
      (object) => editor.change(object),
      'MODIFIED',
      slice,
      name,
      `NOERROR 10.112.0.${n}`,
    );
  }
}
