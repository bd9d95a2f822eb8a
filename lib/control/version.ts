// What this program says of itself: versions for the start lines, `-version` and the metrics. Control thread.
import fs from 'node:fs';
import os from 'node:os';

/** The CoreDNS release whose behaviour and configuration this program keeps to. */
export const COREDNS_VERSION = '1.14.7';
/** Go's names for what Node calls otherwise. */
const GO_ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le' };

/** The package's version, from the package.json above this file. */
export function readPackageVersion(from: string = import.meta.url): string {
  for (let at = new URL('.', from); ; at = new URL('..', at)) {
    try {
      const { name, version } = JSON.parse(fs.readFileSync(new URL('package.json', at), 'utf8')) as Record<
        string,
        string
      >;
      if (name === 'clusterdns' && version !== undefined) return version;
    } catch {
      // Not in this folder.
    }
    if (at.pathname === '/') return '0.0.0';
  }
}

/** `node24.21.0`, in the place of CoreDNS's `go1.26`. */
export function runtimeVersion(): string {
  return `node${process.versions.node}`;
}

/** The lines that `-version` prints and that end the start-up. */
export function versionLines(version: string = readPackageVersion()): string[] {
  const arch = GO_ARCHITECTURES[os.arch()] ?? os.arch();
  return [`CoreDNS-${COREDNS_VERSION}`, `${os.platform()}/${arch}, ${runtimeVersion()}, `, `clusterdns-${version}`];
}
