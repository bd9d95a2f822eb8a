// One line of a watch stream. Control thread.
import { isRawObject, type RawObject } from './objects/raw-object.ts';

export type WatchEvent = {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  /** As decoded; an object from outside may be anything. */
  readonly object: unknown;
  /** `object.metadata.resourceVersion`, or ''. */
  readonly version: string;
};

const TYPES: ReadonlySet<unknown> = new Set(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR']);

/** @returns undefined when the line is not an event */
export function parseWatchEvent(line: Buffer): WatchEvent | undefined {
  let raw: unknown;
  try {
    raw = JSON.parse(line.toString());
  } catch {
    return undefined;
  }
  if (!isRawObject(raw) || !TYPES.has(raw.type)) return undefined;
  const version = metadataOf(raw.object)?.resourceVersion;
  return {
    type: raw.type as WatchEvent['type'],
    object: raw.object,
    version: typeof version === 'string' ? version : '',
  };
}

/** Whether a bookmark ends the initial events of a streaming list. */
export function endsInitialEvents(event: WatchEvent): boolean {
  const annotations = metadataOf(event.object)?.annotations;
  return isRawObject(annotations) && annotations['k8s.io/initial-events-end'] === 'true';
}

function metadataOf(object: unknown): RawObject | undefined {
  return isRawObject(object) && isRawObject(object.metadata) ? object.metadata : undefined;
}
