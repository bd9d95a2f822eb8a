// Syntax tree of an expression -> a function, with its types checked before. Pure; both kinds of thread.
//
// Like expr-lang, which CoreDNS uses, this refuses what cannot go well whatever the query: unknown names, arguments of
// the wrong type, comparing text with numbers. The function allocates nothing of its own for scalars.
import type { ExpressionNode } from './ast.ts';
import { BUILTINS, UNSUPPORTED_BUILTINS } from './builtins.ts';
import { ExpressionError } from './lexer.ts';
import { compileOperator, type Operand } from './operators.ts';
import { parseExpression } from './parser.ts';
import { compilePredicate, PREDICATES } from './predicates.ts';
import {
  arrayOf,
  areComparable,
  type ExpressionValue,
  ExpressionRunError,
  formatType,
  isAny,
  joinTypes,
  TYPE,
  typeNameOf,
  type ValueType,
} from './value.ts';

/** Values of `let` and of predicates, by slot. */
export type Frame = ExpressionValue[];
export type Run<C> = (context: C, frame: Frame) => ExpressionValue;

/** A part of an expression, ready to run. */
export type Compiled<C> = Operand<Run<C>>;

/** A function that the surroundings offer; it reads the context (a query). */
export type ContextFunction<C> = {
  readonly parameters: readonly ValueType[];
  readonly result: ValueType;
  readonly run: (context: C, args: readonly ExpressionValue[]) => ExpressionValue;
  /** A faster way for certain arguments: names of functions called without arguments, and constants. */
  readonly specialize?: (args: readonly ArgumentShape[]) => ((context: C) => ExpressionValue) | undefined;
};

export type ArgumentShape = { readonly calls?: string; readonly constant?: ExpressionValue };

/** What names mean. */
export type ExpressionScope<C> = {
  readonly functions: ReadonlyMap<string, ContextFunction<C>>;
  /** Values that were computed before, by name. */
  readonly variables: ReadonlyMap<string, { readonly type: ValueType; readonly run: (context: C) => ExpressionValue }>;
};

export type Expression<C> = { readonly type: ValueType; readonly run: (context: C) => ExpressionValue };

/**
 * Reads and checks an expression. Its `run` throws ExpressionRunError.
 * @throws ExpressionError
 */
export function compileExpression<C>(text: string, scope: ExpressionScope<C>): Expression<C> {
  const compiler = new Compiler(scope);
  const { type, run } = compiler.compile(parseExpression(text));
  const frame: Frame = Array<ExpressionValue>(compiler.slots).fill(null);
  return { type, run: (context) => run(context, frame) };
}

type Local = { readonly name: string; readonly slot: number; readonly type: ValueType };

export class Compiler<C> {
  readonly #scope: ExpressionScope<C>;
  readonly #locals: Local[] = [];
  /** How many slots a frame needs. */
  slots = 0;

  constructor(scope: ExpressionScope<C>) {
    this.#scope = scope;
  }

  compile(node: ExpressionNode): Compiled<C> {
    switch (node.kind) {
      case 'nil':
        return constant(TYPE.NIL, null);
      case 'boolean':
        return constant(TYPE.BOOL, node.value);
      case 'integer':
        return constant(TYPE.INT, node.value);
      case 'float':
        return constant(TYPE.FLOAT, node.value);
      case 'string':
        return constant(TYPE.STRING, node.value);
      case 'name':
        return this.#name(node.name, node.at);
      case 'pointer':
        return this.#local(`#${node.name}`, node.at);
      case 'unary':
        return this.#unary(node);
      case 'binary':
        return compileOperator(node, this.compile(node.left), this.compile(node.right));
      case 'conditional':
        return this.#conditional(node);
      case 'array':
        return this.#array(node.items.map((item) => this.compile(item)));
      case 'map':
        return this.#map(node.entries);
      case 'member':
        return this.#member(node);
      case 'slice':
        return this.#slice(node);
      case 'call':
        return this.#call(node);
      default: {
        const value = this.compile(node.value);
        if (this.#isTaken(node.name)) throw new ExpressionError(`cannot redeclare ${node.name}`, node.at);
        return this.withLocals([[node.name, value.type]], ([slot]) => {
          const body = this.compile(node.body);
          const run: Run<C> = (context, frame) => {
            frame[slot!] = value.run(context, frame);
            return body.run(context, frame);
          };
          return { type: body.type, run };
        });
      }
    }
  }

  /** Compiles with further names; `use` is given their slots. */
  withLocals<R>(names: readonly (readonly [string, ValueType])[], use: (slots: readonly number[]) => R): R {
    const before = this.#locals.length;
    const slots = names.map(([name, type]) => {
      const slot = this.slots++;
      this.#locals.push({ name, slot, type });
      return slot;
    });
    const result = use(slots);
    this.#locals.length = before;
    return result;
  }

  #local(name: string, at: number): Compiled<C> {
    const local = this.#locals.findLast((known) => known.name === name);
    if (!local) throw new ExpressionError(`cannot use ${name} outside of a predicate`, at);
    return { type: local.type, run: (_context, frame) => frame[local.slot]! };
  }

  #isTaken(name: string): boolean {
    const { functions, variables } = this.#scope;
    if (functions.has(name) || variables.has(name) || BUILTINS.has(name) || PREDICATES.has(name)) return true;
    return this.#locals.some((known) => known.name === name);
  }

  #name(name: string, at: number): Compiled<C> {
    if (this.#locals.some((known) => known.name === name)) return this.#local(name, at);
    const variable = this.#scope.variables.get(name);
    if (variable) return { type: variable.type, run: (context) => variable.run(context) };
    if (this.#scope.functions.has(name)) {
      throw new ExpressionError(`${name} is a function, write ${name}()`, at);
    }
    throw new ExpressionError(`unknown name ${name}`, at);
  }

  #unary({ at, operator, operand }: Extract<ExpressionNode, { kind: 'unary' }>): Compiled<C> {
    const { type, run, constant: value } = this.compile(operand);
    const isBoolean = operator === 'not';
    if (!isAny(type) && (isBoolean ? type.kind !== 'bool' : type.kind !== 'int' && type.kind !== 'float')) {
      throw new ExpressionError(`invalid operation: ${operator} (mismatched type ${formatType(type)})`, at);
    }
    if (isBoolean) return { type: TYPE.BOOL, run: (context, frame) => !expectBoolean(run(context, frame)) };
    if (operator === '+') return { type, run };
    if (typeof value === 'number') return constant(type, -value);
    return { type, run: (context, frame) => -expectNumber(run(context, frame)) };
  }

  #conditional(node: Extract<ExpressionNode, { kind: 'conditional' }>): Compiled<C> {
    const condition = this.compile(node.condition);
    if (!isAny(condition.type) && condition.type.kind !== 'bool') {
      throw new ExpressionError(`non-bool expression (type ${formatType(condition.type)}) used as condition`, node.at);
    }
    const whenTrue = this.compile(node.whenTrue);
    const whenFalse = this.compile(node.whenFalse);
    return {
      type: joinTypes(whenTrue.type, whenFalse.type),
      run: (context, frame) =>
        expectBoolean(condition.run(context, frame)) ? whenTrue.run(context, frame) : whenFalse.run(context, frame),
    };
  }

  #array(items: readonly Compiled<C>[]): Compiled<C> {
    const type = arrayOf(items.length === 0 ? TYPE.ANY : items.map((item) => item.type).reduce(joinTypes));
    if (items.every((item) => item.constant !== undefined)) {
      return constant(
        type,
        items.map((item) => item.constant!),
      );
    }
    return { type, run: (context, frame) => items.map((item) => item.run(context, frame)) };
  }

  #map(entries: readonly (readonly [ExpressionNode, ExpressionNode])[]): Compiled<C> {
    const compiled = entries.map(([key, value]) => [this.compile(key), this.compile(value)] as const);
    const run: Run<C> = (context, frame) =>
      new Map(compiled.map(([key, value]) => [expectString(key.run(context, frame)), value.run(context, frame)]));
    return { type: TYPE.MAP, run };
  }

  #member(node: Extract<ExpressionNode, { kind: 'member' }>): Compiled<C> {
    const of = this.compile(node.of);
    const key = this.compile(node.key);
    if (!['array', 'map', 'any', 'nil'].includes(of.type.kind)) {
      throw new ExpressionError(`type ${formatType(of.type)} has no members`, node.at);
    }
    const wanted = of.type.kind === 'array' ? 'int' : of.type.kind === 'map' ? 'string' : key.type.kind;
    if (!isAny(key.type) && key.type.kind !== wanted) {
      throw new ExpressionError(
        `cannot use ${formatType(key.type)} to get a member of ${formatType(of.type)}`,
        node.at,
      );
    }
    const type = of.type.kind === 'array' ? (of.type.of ?? TYPE.ANY) : TYPE.ANY;
    return {
      type,
      run: (context, frame) => memberOf(of.run(context, frame), key.run(context, frame), node.isOptional),
    };
  }

  #slice(node: Extract<ExpressionNode, { kind: 'slice' }>): Compiled<C> {
    const of = this.compile(node.of);
    if (!['array', 'string', 'any', 'nil'].includes(of.type.kind)) {
      throw new ExpressionError(`cannot slice ${formatType(of.type)}`, node.at);
    }
    const [from, to] = [node.from, node.to].map((bound) => (bound ? this.compile(bound) : undefined));
    const run: Run<C> = (context, frame) => {
      const value = of.run(context, frame);
      const start = from ? expectNumber(from.run(context, frame)) : 0;
      const end = to ? expectNumber(to.run(context, frame)) : undefined;
      if (typeof value === 'string') return value.slice(start, end);
      return expectArray(value).slice(start, end);
    };
    return { type: of.type, run };
  }

  #call(node: Extract<ExpressionNode, { kind: 'call' }>): Compiled<C> {
    const { name, args, at } = node;
    const own = this.#scope.functions.get(name);
    if (own) return this.#callContext(name, own, args, at);
    if (PREDICATES.has(name)) return compilePredicate(this, name, args, at);
    const builtin = BUILTINS.get(name);
    if (!builtin) {
      if (UNSUPPORTED_BUILTINS.has(name)) throw new ExpressionError(`the function ${name} is not built here`, at);
      throw new ExpressionError(`unknown name ${name}`, at);
    }
    const compiled = args.map((arg) => this.compile(arg));
    const { parameters, optional = 0, isVariadic = false } = builtin;
    checkArguments(name, compiled, parameters, parameters.length - optional, isVariadic, at);
    const type = builtin.result(compiled.map((arg) => arg.type));
    return {
      type,
      run: (context, frame) => {
        const values = compiled.map((arg) => arg.run(context, frame));
        values.forEach((value, i) => expectType(name, value, parameters[Math.min(i, parameters.length - 1)]!));
        return builtin.run(values);
      },
    };
  }

  #callContext(name: string, called: ContextFunction<C>, args: readonly ExpressionNode[], at: number): Compiled<C> {
    const compiled = args.map((arg) => this.compile(arg));
    const { parameters, result: type, run } = called;
    checkArguments(name, compiled, parameters, parameters.length, false, at);
    const shapes = args.map((arg, i): ArgumentShape => {
      const value = compiled[i]!.constant;
      if (value !== undefined) return { constant: value };
      return arg.kind === 'call' && arg.args.length === 0 ? { calls: arg.name } : {};
    });
    const special = called.specialize?.(shapes);
    if (special) return { type, run: (context) => special(context) };
    if (compiled.length === 0) return { type, run: (context) => run(context, NO_VALUES) };
    return {
      type,
      run: (context, frame) => {
        const values = compiled.map((arg) => arg.run(context, frame));
        values.forEach((value, i) => expectType(name, value, parameters[i]!));
        return run(context, values);
      },
    };
  }
}

const NO_VALUES: readonly ExpressionValue[] = [];

function constant<C>(type: ValueType, value: ExpressionValue): Compiled<C> {
  return { type, run: () => value, constant: value };
}

function checkArguments(
  name: string,
  args: readonly { readonly type: ValueType }[],
  parameters: readonly ValueType[],
  required: number,
  isVariadic: boolean,
  at: number,
): void {
  if (args.length < required) throw new ExpressionError(`not enough arguments to call ${name}`, at);
  if (!isVariadic && args.length > parameters.length) {
    throw new ExpressionError(`too many arguments to call ${name}`, at);
  }
  for (const [i, { type }] of args.entries()) {
    const parameter = parameters[Math.min(i, parameters.length - 1)]!;
    if (parameter.kind === 'any' || areComparable(type, parameter)) continue;
    throw new ExpressionError(
      `cannot use ${formatType(type)} as argument (type ${formatType(parameter)}) to call ${name}`,
      at,
    );
  }
}

function expectType(name: string, value: ExpressionValue, type: ValueType): void {
  const isRight =
    type.kind === 'any' ||
    (type.kind === 'string' && typeof value === 'string') ||
    ((type.kind === 'int' || type.kind === 'float') && typeof value === 'number') ||
    (type.kind === 'bool' && typeof value === 'boolean') ||
    (type.kind === 'array' && Array.isArray(value)) ||
    (type.kind === 'map' && value instanceof Map);
  if (!isRight) throw new ExpressionRunError(`${name}: expected ${formatType(type)}, not ${typeNameOf(value)}`);
}

function memberOf(of: ExpressionValue, key: ExpressionValue, isOptional: boolean): ExpressionValue {
  if (of === null && isOptional) return null;
  if (of instanceof Map) return of.get(expectString(key)) ?? null;
  const array = expectArray(of);
  const index = expectNumber(key);
  const item = array[index < 0 ? array.length + index : index];
  if (item === undefined)
    throw new ExpressionRunError(`index out of range: ${index} (array length is ${array.length})`);
  return item;
}

function expectBoolean(value: ExpressionValue): boolean {
  if (typeof value !== 'boolean') throw new ExpressionRunError(`expected a bool, not ${typeNameOf(value)}`);
  return value;
}

function expectNumber(value: ExpressionValue): number {
  if (typeof value !== 'number') throw new ExpressionRunError(`expected a number, not ${typeNameOf(value)}`);
  return value;
}

function expectString(value: ExpressionValue): string {
  if (typeof value !== 'string') throw new ExpressionRunError(`expected a string, not ${typeNameOf(value)}`);
  return value;
}

function expectArray(value: ExpressionValue): readonly ExpressionValue[] {
  if (!Array.isArray(value)) throw new ExpressionRunError(`expected an array, not ${typeNameOf(value)}`);
  return value as readonly ExpressionValue[];
}
