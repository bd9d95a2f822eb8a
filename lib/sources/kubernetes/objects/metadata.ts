// What every object has: its key, names and resourceVersion. Control thread.
import { internText } from './interned.ts';
import type { ProblemCollector } from './problem.ts';
import { isLabel, isRawObject, type RawObject, readObject, readText } from './raw-object.ts';

/** The part that all trimmed objects share. */
export type ObjectIdentity = {
  /** `namespace/name`, or `name` for a cluster-wide object: unique per resource. */
  readonly key: string;
  /** As a number, to compare two versions of one object; 0 when it is missing or not a number. */
  readonly resourceVersion: number;
};

/** Metadata read at the door, before it is known whether the object is of use. */
export type Metadata = {
  readonly namespace: string;
  readonly name: string;
  readonly key: string;
  readonly resourceVersion: number;
  readonly raw: RawObject;
};

/** Which names must be usable as one DNS label; a slice's own name never appears in DNS. */
export type NameRule = 'label' | 'any';

/** The longest name that the API server accepts for any object. */
const MAX_OBJECT_NAME = 253;

/**
 * Reads `metadata` of an object.
 *
 * @returns undefined (and a problem) when the object has no name, or a name or namespace that cannot be a DNS label
 *   although it must be one
 */
export function readMetadata(
  raw: unknown,
  namespaced: boolean,
  rule: NameRule,
  problems: ProblemCollector,
): Metadata | undefined {
  if (!isRawObject(raw)) {
    problems.add('', 'not an object', raw);
    return undefined;
  }
  const metadata = readObject(raw, 'metadata', 'metadata', problems);
  const name = readText(metadata, 'name', 'metadata.name', problems);
  const namespace = namespaced ? readText(metadata, 'namespace', 'metadata.namespace', problems) : '';
  const key = namespaced ? `${namespace}/${name}` : name;
  problems.object = key.length > 130 ? `${key.slice(0, 130)}...` : key;
  if (rule === 'label' ? !isLabel(name) : name === '' || name.length > MAX_OBJECT_NAME) {
    problems.add('metadata.name', rule === 'label' ? 'not a DNS label' : 'empty or too long', name);
    return undefined;
  }
  if (namespaced && !isLabel(namespace)) {
    problems.add('metadata.namespace', 'not a DNS label', namespace);
    return undefined;
  }
  return { namespace: internText(namespace), name, key, resourceVersion: readResourceVersion(metadata), raw: metadata };
}

/**
 * Key and resourceVersion of an object that is only to be deleted or compared; nothing else of it is looked at.
 *
 * @returns undefined when it has no name
 */
export function readIdentity(raw: unknown, namespaced: boolean): ObjectIdentity | undefined {
  if (!isRawObject(raw) || !isRawObject(raw.metadata)) return undefined;
  const { name, namespace } = raw.metadata;
  if (typeof name !== 'string' || name === '') return undefined;
  if (!namespaced) return { key: name, resourceVersion: readResourceVersion(raw.metadata) };
  if (typeof namespace !== 'string' || namespace === '') return undefined;
  return { key: `${namespace}/${name}`, resourceVersion: readResourceVersion(raw.metadata) };
}

/** The labels of an object; an odd value is absent. */
export function readLabel(metadata: RawObject, name: string): string {
  const labels = metadata.labels;
  const value = isRawObject(labels) ? labels[name] : undefined;
  return typeof value === 'string' ? value : '';
}

/** `metadata.resourceVersion` as a number, 0 when it is not one. */
export function readResourceVersion(metadata: RawObject): number {
  const text = metadata.resourceVersion;
  if (typeof text !== 'string' || !/^\d{1,19}$/.test(text)) return 0;
  return Number(text);
}
