// One YAML file -> the Kubernetes objects in it, each problem with its document and line. Control thread.
import { LineCounter, parseAllDocuments } from 'yaml';
import { isRawObject, type RawObject } from '../kubernetes/objects/raw-object.ts';

/** An object as decoded, with the place it came from. */
export type ManifestObject = {
  readonly raw: RawObject;
  /** As written: `Service`. */
  readonly kind: string;
  /** Counted from 1. */
  readonly document: number;
};

export type ManifestFile = {
  readonly objects: readonly ManifestObject[];
  /** `document 2, line 14: ...`, without the file. */
  readonly problems: readonly string[];
  /** The text is not YAML somewhere: what was to be there is unknown. */
  readonly broken: boolean;
};

/** Objects of one file, Lists unfolded. */
const MAX_OBJECTS = 100_000;
/** A List in a List in a List is nobody's manifest. */
const MAX_LIST_DEPTH = 3;

/** Reads all documents of a file; never throws. Documents that are empty are skipped. */
export function parseManifestFile(text: string): ManifestFile {
  const lines = new LineCounter();
  const objects: ManifestObject[] = [];
  const problems: string[] = [];
  let broken = false;
  const parsed = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false });
  for (const [index, document] of (Array.isArray(parsed) ? parsed : []).entries()) {
    const place = `document ${index + 1}`;
    const error = document.errors[0];
    if (error !== undefined) {
      broken = true;
      problems.push(`${place}, line ${lines.linePos(error.pos[0]).line}: ${error.message}`);
      continue;
    }
    try {
      const line = lines.linePos(document.contents?.range?.[0] ?? 0).line;
      collect(document.toJS(), `${place}, line ${line}`, index + 1, objects, problems, 0);
    } catch (cause) {
      problems.push(`${place}: ${(cause as Error).message}`);
    }
  }
  return { objects, problems, broken };
}

function collect(
  raw: unknown,
  place: string,
  document: number,
  objects: ManifestObject[],
  problems: string[],
  depth: number,
): void {
  if (raw === null || raw === undefined) return;
  if (!isRawObject(raw) || typeof raw.kind !== 'string') {
    problems.push(`${place}: kind: missing, this is not a Kubernetes object`);
    return;
  }
  if (Array.isArray(raw.items) && raw.kind.endsWith('List') && depth < MAX_LIST_DEPTH) {
    const kind = raw.kind.slice(0, -'List'.length);
    for (const item of raw.items as unknown[]) {
      // Items of a typed list (`ServiceList`) do not repeat their kind.
      const named = isRawObject(item) && item.kind === undefined && kind !== '' ? { ...item, kind } : item;
      collect(named, place, document, objects, problems, depth + 1);
    }
    return;
  }
  if (objects.length === MAX_OBJECTS) throw new Error(`more than ${MAX_OBJECTS} objects in a file`);
  objects.push({ raw: withDefaults(raw, raw.kind), kind: raw.kind, document });
}

/** Fills in what an API server would: namespace, type and protocol. */
function withDefaults(raw: RawObject, kind: string): RawObject {
  let object = raw;
  if (kind !== 'Namespace' && isRawObject(raw.metadata) && (raw.metadata.namespace ?? '') === '')
    object = { ...object, metadata: { ...raw.metadata, namespace: 'default' } };
  if (kind === 'Service' && isRawObject(raw.spec)) {
    const ports = Array.isArray(raw.spec.ports) ? { ports: withProtocol(raw.spec.ports) } : {};
    object = { ...object, spec: { type: 'ClusterIP', ...raw.spec, ...ports } };
  }
  if (kind === 'EndpointSlice' && Array.isArray(raw.ports)) object = { ...object, ports: withProtocol(raw.ports) };
  return object;
}

function withProtocol(ports: readonly unknown[]): unknown[] {
  return ports.map((port) => (isRawObject(port) ? { protocol: 'TCP', ...port } : port));
}
