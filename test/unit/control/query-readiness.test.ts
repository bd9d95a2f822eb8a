// Readiness by a count of queries: with each mode of `ready`, and after a reload.
import test from 'ava';
import type { Service } from '../../../lib/chain/plugin.ts';
import { QueryReadiness } from '../../../lib/control/query-readiness.ts';

const COUNTED: Service = { kind: 'readiness', plugin: 'erratic', cell: 1, from: 3, below: 5 };
const ready = (mode: 'until-ready' | 'continuously'): Service => ({ kind: 'ready', address: ':8181', mode });

/** Whether erratic is ready after 0, 1, 2... queries, which two workers get in turn. */
function statesOf(services: readonly Service[], before = 0): boolean[] {
  const rows = [new Float64Array([0, before]), new Float64Array(2)];
  const readiness = new QueryReadiness(services, rows);
  return Array.from({ length: 7 }, (_, number) => {
    const names = readiness.notReady();
    rows[number % 2]![1]!++;
    return names.length === 0;
  });
}

test('readiness: from the third query to the fifth, and for good once it was seen', (t) => {
  t.deepEqual(statesOf([COUNTED, ready('until-ready')]), [false, false, false, true, true, true, true]);
});

test('readiness: continuously it is lost again', (t) => {
  t.deepEqual(statesOf([COUNTED, ready('continuously')]), [false, false, false, true, true, false, false]);
});

test('readiness: queries of the configuration before do not count', (t) => {
  t.deepEqual(statesOf([COUNTED, ready('continuously')], 4).slice(0, 4), [false, false, false, true]);
});

test('readiness: a plugin in two blocks is named once, none without it', (t) => {
  t.deepEqual(new QueryReadiness([COUNTED, COUNTED], [new Float64Array(2)]).notReady(), ['erratic']);
  t.deepEqual(new QueryReadiness([], [new Float64Array(2)]).notReady(), []);
});
