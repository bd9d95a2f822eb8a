// A ServiceImport (multicluster.x-k8s.io/v1alpha1) reduced to what its DNS answers need. Control thread.
import { internText, NO_TEXTS, type Port } from './interned.ts';
import { type ObjectIdentity, readMetadata } from './metadata.ts';
import { ProblemCollector, type Trimmed } from './problem.ts';
import { type RawObject, readList, readObject, readText } from './raw-object.ts';
import { readAddresses, readPorts } from './service.ts';

export type ServiceImport = ObjectIdentity & {
  readonly namespace: string;
  readonly name: string;
  /** As written: `ClusterSetIP` or `Headless`; '' when absent. */
  readonly type: string;
  /** Valid addresses as written. */
  readonly ips: readonly string[];
  readonly ports: readonly Port[];
};

/** Reduces a ServiceImport; never throws, see `Trimmed`. */
export function trimServiceImport(raw: unknown): Trimmed<ServiceImport> {
  const problems = new ProblemCollector('ServiceImport');
  const metadata = readMetadata(raw, true, 'label', problems);
  if (metadata === undefined) return problems.finish<ServiceImport>(undefined);
  const spec = readObject(raw as RawObject, 'spec', 'spec', problems);
  const ips = readAddresses(readList(spec, 'ips', 'spec.ips', problems), 'spec.ips', problems);
  return problems.finish<ServiceImport>({
    key: metadata.key,
    resourceVersion: metadata.resourceVersion,
    namespace: metadata.namespace,
    name: metadata.name,
    type: internText(readText(spec, 'type', 'spec.type', problems)),
    ips: ips.length === 0 ? NO_TEXTS : ips,
    ports: readPorts(spec, 'spec.ports', problems),
  });
}
