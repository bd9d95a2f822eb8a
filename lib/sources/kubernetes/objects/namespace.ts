// A Namespace: its name is all that is read. Control thread.
import { type ObjectIdentity, readMetadata } from './metadata.ts';
import { ProblemCollector, type Trimmed } from './problem.ts';

/** `key` is the name. */
export type Namespace = ObjectIdentity & { readonly name: string };

/** Reduces a Namespace; never throws, see `Trimmed`. */
export function trimNamespace(raw: unknown): Trimmed<Namespace> {
  const problems = new ProblemCollector('Namespace');
  const metadata = readMetadata(raw, false, 'label', problems);
  if (metadata === undefined) return problems.finish<Namespace>(undefined);
  const { key, resourceVersion, name } = metadata;
  return problems.finish<Namespace>({ key, resourceVersion, name });
}
