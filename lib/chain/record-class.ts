// Gives a record another class than IN. Worker, for the few plugins that answer in other classes.
import type { Answer } from './answer.ts';

/** Sets the class of the record that was added last. */
export function setLastClass(answer: Answer, recordClass: number): void {
  const { records, bytes, base } = answer;
  if (records.count === 0) return;
  const at = base + records.ttlAt(records.count - 1) - 2;
  bytes[at] = recordClass >>> 8;
  bytes[at + 1] = recordClass;
}
