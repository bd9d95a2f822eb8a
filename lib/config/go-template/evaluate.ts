// Runs a parsed Go template over data. Pure; both kinds of thread.
import type { Command, GoTemplate, Node, NodeList, Operand, Pipeline } from './ast.ts';
import { formatValue, GoFunction, type GoParameter, GoStruct, type GoValue, isTrue, sortedEntries, TemplateRunError, typeOf } from './value.ts'; // biome-ignore format: one import

/** Nodes visited per rendering: a `range` over a large number must not hold up a worker. */
const MAX_STEPS = 20_000;
const MAX_OUTPUT = 300_000;
/** Templates that call one another. */
const MAX_CALLS = 100;

/** No value was passed by a pipeline. */
const MISSING: unique symbol = Symbol('missing');
type Final = GoValue | typeof MISSING;

const FLOW = { NEXT: 0, BREAK: 1, CONTINUE: 2 } as const;
type Flow = (typeof FLOW)[keyof typeof FLOW];

type Variable = { readonly name: string; value: GoValue };

/**
 * Renders the template.
 * @throws TemplateRunError
 */
export function renderGoTemplate(
  template: GoTemplate,
  data: GoValue,
  functions: ReadonlyMap<string, GoFunction>,
): string {
  return new Renderer(template, functions).render(data);
}

class Renderer {
  readonly #template: GoTemplate;
  readonly #functions: ReadonlyMap<string, GoFunction>;
  #output = '';
  #steps = 0;
  #calls = 0;
  #variables: Variable[] = [];

  constructor(template: GoTemplate, functions: ReadonlyMap<string, GoFunction>) {
    this.#template = template;
    this.#functions = functions;
  }

  render(data: GoValue): string {
    this.#call(this.#template.root, data);
    return this.#output;
  }

  /** A template sees none of its caller's variables. */
  #call(list: NodeList, dot: GoValue): void {
    if (++this.#calls > MAX_CALLS) throw new TemplateRunError('templates call one another without end');
    const outer = this.#variables;
    this.#variables = [{ name: '$', value: dot }];
    this.#list(list, dot);
    this.#variables = outer;
    this.#calls--;
  }

  #list(nodes: NodeList, dot: GoValue): Flow {
    for (const node of nodes) {
      if (++this.#steps > MAX_STEPS) throw new TemplateRunError(`more than ${MAX_STEPS} steps`);
      const flow = this.#node(node, dot);
      if (flow !== FLOW.NEXT) return flow;
    }
    return FLOW.NEXT;
  }

  #node(node: Node, dot: GoValue): Flow {
    switch (node.kind) {
      case 'text':
        this.#print(node.text);
        return FLOW.NEXT;
      case 'action': {
        const value = this.#pipeline(node.pipeline, dot);
        if (node.pipeline.variables.length === 0) this.#print(formatValue(value));
        return FLOW.NEXT;
      }
      case 'break':
        return FLOW.BREAK;
      case 'continue':
        return FLOW.CONTINUE;
      case 'template': {
        const list = this.#template.defined.get(node.name);
        if (!list) throw new TemplateRunError(`template "${node.name}" not defined`);
        this.#call(list, node.pipeline ? this.#pipeline(node.pipeline, dot) : null);
        return FLOW.NEXT;
      }
      default: {
        const scope = this.#variables.length;
        const flow = node.kind === 'range' ? this.#range(node, dot) : this.#choose(node, dot);
        this.#variables.length = scope;
        return flow;
      }
    }
  }

  #print(text: string): void {
    this.#output += text;
    if (this.#output.length > MAX_OUTPUT) throw new TemplateRunError(`more than ${MAX_OUTPUT} characters`);
  }

  #choose(node: Extract<Node, { kind: 'if' | 'with' | 'range' }>, dot: GoValue): Flow {
    const value = this.#pipeline(node.pipeline, dot);
    if (isTrue(value)) return this.#list(node.list, node.kind === 'with' ? value : dot);
    return node.otherwise ? this.#list(node.otherwise, dot) : FLOW.NEXT;
  }

  #range(node: Extract<Node, { kind: 'if' | 'with' | 'range' }>, dot: GoValue): Flow {
    const value = this.#pipeline(node.pipeline, dot);
    const { variables, isAssignment } = node.pipeline;
    const scope = this.#variables.length;
    let ran = false;
    for (const [key, item] of entriesOf(value, variables.length)) {
      ran = true;
      if (++this.#steps > MAX_STEPS) throw new TemplateRunError(`more than ${MAX_STEPS} steps`);
      const values = variables.length > 1 ? [key, item] : [item];
      for (const [index, name] of variables.entries()) {
        if (isAssignment) this.#variable(name).value = values[index];
        // What the pipeline declared are the last ones.
        else this.#variables[scope - variables.length + index]!.value = values[index];
      }
      const flow = this.#list(node.list, item);
      this.#variables.length = scope;
      if (flow === FLOW.BREAK) break;
    }
    return !ran && node.otherwise ? this.#list(node.otherwise, dot) : FLOW.NEXT;
  }

  #variable(name: string): Variable {
    for (let i = this.#variables.length - 1; i >= 0; i--) {
      if (this.#variables[i]!.name === name) return this.#variables[i]!;
    }
    throw new TemplateRunError(`undefined variable: ${name}`);
  }

  #pipeline({ variables, isAssignment, commands }: Pipeline, dot: GoValue): GoValue {
    let value: Final = MISSING;
    for (const command of commands) value = this.#command(command, dot, value);
    const result = value === MISSING ? undefined : value;
    for (const name of variables) {
      if (isAssignment) this.#variable(name).value = result;
      else this.#variables.push({ name, value: result });
    }
    return result;
  }

  #command(command: Command, dot: GoValue, final: Final): GoValue {
    const [first, ...args] = command;
    switch (first!.kind) {
      case 'function':
        return this.#function(first.name, args, dot, final);
      case 'field':
        return this.#fields(dot, dot, first.names, args, final);
      case 'chain':
        return this.#fields(dot, this.#operand(first.of, dot), first.names, args, final);
      case 'variable':
        if (first.names.length > 0) {
          return this.#fields(dot, this.#variable(first.name).value, first.names, args, final);
        }
        break;
      case 'nil':
        throw new TemplateRunError('nil is not a command');
      default:
    }
    if (args.length > 0 || final !== MISSING) throw new TemplateRunError("can't give argument to non-function");
    return this.#operand(first!, dot);
  }

  /** Value of an operand that takes no arguments. */
  #operand(operand: Operand, dot: GoValue): GoValue {
    switch (operand.kind) {
      case 'dot':
        return dot;
      case 'nil':
        return null;
      case 'boolean':
      case 'string':
        return operand.value;
      case 'number':
        return isFloat(operand.text) || operand.integer === undefined ? operand.float : operand.integer;
      case 'function':
        return this.#function(operand.name, [], dot, MISSING);
      case 'field':
        return this.#fields(dot, dot, operand.names, [], MISSING);
      case 'variable':
        return this.#fields(dot, this.#variable(operand.name).value, operand.names, [], MISSING);
      case 'pipeline':
        return this.#pipeline(operand.pipeline, dot);
      default:
        return this.#fields(dot, this.#operand(operand.of, dot), operand.names, [], MISSING);
    }
  }

  #fields(dot: GoValue, of: GoValue, names: readonly string[], args: readonly Operand[], final: Final): GoValue {
    let value = of;
    const last = names.length - 1;
    for (const [index, name] of names.entries()) {
      value = index < last ? this.#field(value, name, dot, [], MISSING) : this.#field(value, name, dot, args, final);
    }
    return value;
  }

  #field(of: GoValue, name: string, dot: GoValue, args: readonly Operand[], final: Final): GoValue {
    if (of === undefined) return undefined;
    if (of === null) throw new TemplateRunError(`nil data; no field ${name}`);
    const isStruct = of instanceof GoStruct;
    if (!(of instanceof Map) && !(isStruct && of.has(name))) {
      throw new TemplateRunError(`can't evaluate field ${name} in type ${typeOf(of)}`);
    }
    const value = isStruct ? of.get(name) : (of as ReadonlyMap<string, GoValue>).get(name);
    if (value instanceof GoFunction) return this.#apply(name, value, args, dot, final);
    if (args.length > 0 || final !== MISSING) throw new TemplateRunError(`${name} has arguments but is not a function`);
    return value;
  }

  #function(name: string, args: readonly Operand[], dot: GoValue, final: Final): GoValue {
    if (name === 'and' || name === 'or') return this.#shortCircuit(name, args, dot, final);
    const called = this.#functions.get(name);
    if (!called) throw new TemplateRunError(`"${name}" is not a defined function`);
    return this.#apply(name, called, args, dot, final);
  }

  #shortCircuit(name: 'and' | 'or', args: readonly Operand[], dot: GoValue, final: Final): GoValue {
    if (args.length === 0 && final === MISSING) {
      throw new TemplateRunError(`wrong number of args for ${name}: want at least 1 got 0`);
    }
    let value: GoValue;
    for (const arg of args) {
      value = this.#operand(arg, dot);
      if (isTrue(value) === (name === 'or')) return value;
    }
    return final === MISSING ? value : final;
  }

  #apply(name: string, called: GoFunction, args: readonly Operand[], dot: GoValue, final: Final): GoValue {
    const { parameters, isVariadic } = called;
    const count = args.length + (final === MISSING ? 0 : 1);
    const fixed = isVariadic ? parameters.length - 1 : parameters.length;
    if (isVariadic ? count < fixed : count !== fixed) {
      const want = isVariadic ? `at least ${fixed}` : String(fixed);
      throw new TemplateRunError(`wrong number of args for ${name}: want ${want} got ${count}`);
    }
    const parameterAt = (index: number): GoParameter => parameters[Math.min(index, parameters.length - 1)]!;
    const values = args.map((arg, index) => this.#argument(arg, dot, parameterAt(index)));
    if (final !== MISSING) values.push(checkArgument(final, parameterAt(args.length)));
    try {
      return called.run(values);
    } catch (error) {
      if (error instanceof TemplateRunError) throw new TemplateRunError(`error calling ${name}: ${error.message}`);
      throw error;
    }
  }

  #argument(operand: Operand, dot: GoValue, parameter: GoParameter): GoValue {
    // A whole number may stand where an integer is wanted, however it is written.
    if (operand.kind === 'number' && parameter === 'int' && operand.integer !== undefined) return operand.integer;
    if (operand.kind === 'nil' && parameter !== 'any') throw new TemplateRunError(`cannot assign nil to ${parameter}`);
    return checkArgument(this.#operand(operand, dot), parameter);
  }
}

function checkArgument(value: GoValue, parameter: GoParameter): GoValue {
  if (parameter === 'any') return value;
  if (value === undefined) throw new TemplateRunError(`invalid value; expected ${parameter}`);
  if (typeof value !== (parameter === 'int' ? 'bigint' : 'string')) {
    throw new TemplateRunError(`wrong type for value; expected ${parameter}; got ${typeOf(value)}`);
  }
  return value;
}

/** Whether a constant's spelling makes it a float where nothing else says. */
function isFloat(text: string): boolean {
  return !text.startsWith("'") && (/^[+-]?0[xX]/.test(text) ? /[pP]/.test(text) : /[.eEpP]/.test(text));
}

function* entriesOf(value: GoValue, variables: number): Generator<[GoValue, GoValue]> {
  if (Array.isArray(value)) {
    for (const [index, item] of (value as readonly GoValue[]).entries()) yield [BigInt(index), item];
  } else if (value instanceof Map) {
    yield* sortedEntries(value);
  } else if (typeof value === 'bigint') {
    if (variables > 1) throw new TemplateRunError(`can't use ${value} to iterate over more than one variable`);
    for (let i = 0n; i < value; i++) yield [undefined, i];
  } else if (value !== undefined && value !== null) {
    throw new TemplateRunError(`range can't iterate over ${formatValue(value)}`);
  }
}
