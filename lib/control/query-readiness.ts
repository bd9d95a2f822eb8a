// Plugins that are ready or not by how many queries they have had since their configuration was taken: for /ready. Control thread.
import type { Service } from '../chain/plugin.ts';
import { sumCell } from '../metrics/cells.ts';

type Counted = Extract<Service, { kind: 'readiness' }>;

export class QueryReadiness {
  readonly #counted: readonly (Counted & { readonly start: number })[];
  readonly #rows: readonly Float64Array[];
  /** Without `monitor continuously` a plugin that was seen ready is not asked again. */
  readonly #isLasting: boolean;
  readonly #seen = new Set<string>();

  /** @param rows metric cells of all threads */
  constructor(services: readonly Service[], rows: readonly Float64Array[]) {
    this.#rows = rows;
    this.#counted = services.flatMap((service) =>
      service.kind === 'readiness' ? { ...service, start: sumCell(rows, service.cell) } : [],
    );
    this.#isLasting = !services.some((service) => service.kind === 'ready' && service.mode === 'continuously');
  }

  /** Names of the plugins that are not ready, sorted, each once. */
  notReady(): readonly string[] {
    const names = new Set<string>();
    for (const { plugin, cell, start, from, below } of this.#counted) {
      const queries = sumCell(this.#rows, cell) - start;
      if (queries >= from && queries < below) {
        if (this.#isLasting) this.#seen.add(plugin);
      } else if (!this.#seen.has(plugin)) names.add(plugin);
    }
    return [...names].sort();
  }
}
