// Counters of `template` by zone, class and type. Control thread declares them, workers count.
import type { MetricRegistry } from '../../metrics/registry.ts';
import { CLASS, RRTYPE } from '../../wire/types.ts';

/** Types with a label of their own where a template takes any; all others are `other`. */
const TYPES = ['A', 'AAAA', 'ANY', 'CNAME', 'HTTPS', 'MX', 'NS', 'PTR', 'SOA', 'SRV', 'TXT'] as const;
const CLASSES = ['IN', 'CH'] as const;
const OTHER = 'other';

/** One value of the table: a class and a type as labels. */
type Kind = { readonly class: string; readonly type: string };

/** Cells by `(server * zones + zone) * kinds + kind`. */
export type TemplateCells = {
  readonly matches: readonly number[];
  readonly kinds: number;
};

/** Cells of one line of a template, by the same index. */
export type LineCells = { readonly templateFailures: readonly number[]; readonly recordFailures: readonly number[] };

export type TemplateScope = {
  readonly servers: readonly string[];
  readonly zones: readonly string[];
  readonly view: string;
  /** What the template is for; ANY stands for all. */
  readonly qclass: number;
  readonly qtype: number;
  readonly className: string;
  readonly typeName: string;
};

export function declareTemplateCells(metrics: MetricRegistry, scope: TemplateScope): TemplateCells {
  return {
    kinds: kindsOf(scope).length,
    matches: declareAll(scope, {}, (labels) =>
      metrics.counter('coredns_template_matches_total', 'Queries that a template answered.', labels),
    ),
  };
}

/** @param line the template in Go's spelling, for the label `template` */
export function declareLineCells(
  metrics: MetricRegistry,
  scope: TemplateScope,
  section: string,
  line: string,
): LineCells {
  const labels = { section, template: line };
  return {
    templateFailures: declareAll(scope, labels, (all) =>
      metrics.counter(
        'coredns_template_template_failures_total',
        'Templates that failed while they were filled in.',
        all,
      ),
    ),
    recordFailures: declareAll(scope, labels, (all) =>
      metrics.counter('coredns_template_rr_failures_total', 'Lines of filled-in templates that are no record.', all),
    ),
  };
}

function declareAll(
  scope: TemplateScope,
  labels: Readonly<Record<string, string>>,
  declare: (labels: Readonly<Record<string, string>>) => number,
): number[] {
  const { servers, zones, view } = scope;
  const kinds = kindsOf(scope);
  return servers.flatMap((server) =>
    zones.flatMap((zone) => kinds.map((kind) => declare({ server, zone, view, ...kind, ...labels }))),
  );
}

function kindsOf(scope: TemplateScope): Kind[] {
  const classes = scope.qclass === CLASS.ANY ? [...CLASSES, OTHER] : [scope.className];
  const types = scope.qtype === RRTYPE.ANY ? [...TYPES, OTHER] : [scope.typeName];
  return classes.flatMap((name) => types.map((type) => ({ class: name, type })));
}

/** Index of a query's class and type in the table of a template for `forClass` and `forType`. */
export function kindOf(forClass: number, forType: number, qclass: number, qtype: number): number {
  if (forType !== RRTYPE.ANY) return forClass === CLASS.ANY ? classIndex(qclass) : 0;
  const type = TYPE_INDEX.get(qtype) ?? TYPES.length;
  return (forClass === CLASS.ANY ? classIndex(qclass) * (TYPES.length + 1) : 0) + type;
}
const TYPE_INDEX = new Map<number, number>(TYPES.map((name, index) => [RRTYPE[name], index]));

function classIndex(qclass: number): number {
  return qclass === CLASS.IN ? 0 : qclass === CLASS.CH ? 1 : CLASSES.length;
}
