// Names relative to the cluster zone, as Latin-1 strings of their wire form without root: cheap to join, to compare and to
// keep in a Map. Control thread.

/** Wire form of one label: its length, then its bytes in lower case. */
export function wireLabel(text: string): string {
  return String.fromCharCode(text.length) + text.toLowerCase();
}

/** Wire form of labels given in text with dots between them. */
export function wireLabels(text: string): string {
  return text.includes('.') ? text.split('.').map(wireLabel).join('') : wireLabel(text);
}

export const SVC_LABEL: string = wireLabel('svc');
export const POD_LABEL: string = wireLabel('pod');

/** `<service>.<namespace>.svc` */
export function serviceName(namespace: string, service: string): string {
  return wireLabel(service) + wireLabel(namespace) + SVC_LABEL;
}

const MAX_NAME_LENGTH = 255;
const shared = new Uint8Array(MAX_NAME_LENGTH);
const sharedByLength = Array.from({ length: MAX_NAME_LENGTH + 1 }, (_, length) => shared.subarray(0, length));

/** The bytes of a name, for use at once: the next call overwrites them. */
export function toBytes(name: string): Uint8Array {
  const { length } = name;
  if (length > MAX_NAME_LENGTH) return Buffer.from(name, 'latin1');
  for (let i = 0; i < length; i++) shared[i] = name.charCodeAt(i);
  return sharedByLength[length]!;
}

const OCTET_LABELS: readonly string[] = Array.from({ length: 256 }, (_, octet) => wireLabel(String(octet)));
const IN_ADDR_ARPA = wireLabel('in-addr') + wireLabel('arpa');
const IP6_ARPA = wireLabel('ip6') + wireLabel('arpa');

/** Reverse name of an address, without the root label (RFC 1035 section 3.5, RFC 3596 section 2.5). */
export function reverseName(address: Uint8Array): string {
  let name = '';
  if (address.length === 4) {
    for (let i = 3; i >= 0; i--) name += OCTET_LABELS[address[i]!]!;
    return name + IN_ADDR_ARPA;
  }
  for (let i = 15; i >= 0; i--) {
    name += `\x01${(address[i]! & 15).toString(16)}\x01${(address[i]! >>> 4).toString(16)}`;
  }
  return name + IP6_ARPA;
}
