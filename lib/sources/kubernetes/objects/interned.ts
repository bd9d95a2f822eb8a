// Texts and port lists that thousands of objects share are kept once. Control thread.

/** Values kept before a table starts anew; a larger cluster only shares less. */
const MAX_ENTRIES = 8192;

const texts = new Map<string, string>();

/** The one copy of a text that repeats over objects: namespaces, nodes, zones, port names. */
export function internText(text: string): string {
  if (text === '') return '';
  const known = texts.get(text);
  if (known !== undefined) return known;
  if (texts.size >= MAX_ENTRIES) texts.clear();
  texts.set(text, text);
  return text;
}

/** A port of a Service or a slice. */
export type Port = {
  /** '' when unnamed. */
  readonly name: string;
  /** As written: `TCP`, `UDP`, `SCTP`; '' when absent. */
  readonly protocol: string;
  /** 0 to 65535, or -1 for a slice port without number (all ports). */
  readonly port: number;
};

export const NO_PORTS: readonly Port[] = Object.freeze([]);
export const NO_TEXTS: readonly string[] = Object.freeze([]);

const portLists = new Map<string, readonly Port[]>();

/** The one copy of a port list. */
export function internPorts(ports: readonly Port[]): readonly Port[] {
  if (ports.length === 0) return NO_PORTS;
  let key = '';
  for (const { name, protocol, port } of ports) key += `${name}\0${protocol}\0${port}\0`;
  const known = portLists.get(key);
  if (known !== undefined) return known;
  if (portLists.size >= MAX_ENTRIES) portLists.clear();
  portLists.set(key, ports);
  return ports;
}
