// Syntax tree of a Go template and its text form. Pure data; both kinds of thread.

/** An operand of a command; its value may be a function's result. */
export type Operand =
  | { readonly kind: 'dot' }
  | { readonly kind: 'nil' }
  | { readonly kind: 'boolean'; readonly value: boolean }
  /** Integers are bigint; a number that is whole may serve as either. */
  | { readonly kind: 'number'; readonly text: string; readonly integer: bigint | undefined; readonly float: number }
  | { readonly kind: 'string'; readonly text: string; readonly value: string }
  | { readonly kind: 'function'; readonly name: string }
  /** `.A.B` */
  | { readonly kind: 'field'; readonly names: readonly string[] }
  /** `$x.A.B`; `$` has the name `$`. */
  | { readonly kind: 'variable'; readonly name: string; readonly names: readonly string[] }
  /** `(pipeline)` */
  | { readonly kind: 'pipeline'; readonly pipeline: Pipeline }
  /** `(pipeline).A.B` */
  | { readonly kind: 'chain'; readonly of: Operand; readonly names: readonly string[] };

export type Command = readonly Operand[];

export type Pipeline = {
  /** Variables set by it: one, or two in `range`. */
  readonly variables: readonly string[];
  /** `=` instead of `:=`. */
  readonly isAssignment: boolean;
  readonly commands: readonly Command[];
};

export type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly pipeline: Pipeline }
  | {
      readonly kind: 'if' | 'with' | 'range';
      readonly pipeline: Pipeline;
      readonly list: NodeList;
      readonly otherwise: NodeList | undefined;
    }
  | { readonly kind: 'template'; readonly name: string; readonly pipeline: Pipeline | undefined }
  | { readonly kind: 'break' }
  | { readonly kind: 'continue' };

export type NodeList = readonly Node[];

export type GoTemplate = {
  readonly root: NodeList;
  /** Templates made by `define` and `block`, by name. */
  readonly defined: ReadonlyMap<string, NodeList>;
};

/** The template as Go prints it: without comments and superfluous spaces. */
export function formatNodes(nodes: NodeList): string {
  return nodes.map(formatNode).join('');
}

function formatNode(node: Node): string {
  switch (node.kind) {
    case 'text':
      return node.text;
    case 'action':
      return `{{${formatPipeline(node.pipeline)}}}`;
    case 'template': {
      const argument = node.pipeline ? ` ${formatPipeline(node.pipeline)}` : '';
      return `{{template ${JSON.stringify(node.name)}${argument}}}`;
    }
    case 'break':
    case 'continue':
      return `{{${node.kind}}}`;
    default: {
      const otherwise = node.otherwise ? `{{else}}${formatNodes(node.otherwise)}` : '';
      return `{{${node.kind} ${formatPipeline(node.pipeline)}}}${formatNodes(node.list)}${otherwise}{{end}}`;
    }
  }
}

function formatPipeline({ variables, isAssignment, commands }: Pipeline): string {
  const set = variables.length === 0 ? '' : `${variables.join(', ')} ${isAssignment ? '=' : ':='} `;
  return set + commands.map((command) => command.map(formatOperand).join(' ')).join(' | ');
}

function formatOperand(operand: Operand): string {
  switch (operand.kind) {
    case 'dot':
      return '.';
    case 'nil':
      return 'nil';
    case 'boolean':
      return String(operand.value);
    case 'number':
    case 'string':
      return operand.text;
    case 'function':
      return operand.name;
    case 'field':
      return operand.names.map((name) => `.${name}`).join('');
    case 'variable':
      return [operand.name, ...operand.names].join('.');
    case 'pipeline':
      return `(${formatPipeline(operand.pipeline)})`;
    default:
      return formatOperand(operand.of) + operand.names.map((name) => `.${name}`).join('');
  }
}
