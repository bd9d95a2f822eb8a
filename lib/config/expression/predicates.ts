// Functions that ask an expression about every item of an array. Pure; both kinds of thread.
import type { ExpressionNode } from './ast.ts';
import type { Compiled, Compiler, Frame, Run } from './compile.ts';
import { ExpressionError } from './lexer.ts';
import { arrayOf, type ExpressionValue, ExpressionRunError, formatType, isAny, TYPE, typeNameOf, type ValueType } from './value.ts'; // biome-ignore format: one import

type Ask = (item: ExpressionValue, index: number) => ExpressionValue;
type Predicate = {
  /** Whether the expression must be a bool. */
  readonly isTest: boolean;
  /** Whether it may be left out; the items then stand for themselves. */
  readonly isOptional?: boolean;
  readonly result: (item: ValueType, asked: ValueType) => ValueType;
  readonly run: (items: readonly ExpressionValue[], ask: Ask) => ExpressionValue;
};

const BOOL = (): ValueType => TYPE.BOOL;
const INT = (): ValueType => TYPE.INT;
const ITEM = (item: ValueType): ValueType => item;
const test = (result: Predicate['result'], run: Predicate['run']): Predicate => ({ isTest: true, result, run });
const isTrue = (value: ExpressionValue): boolean => value === true;

export const PREDICATES: ReadonlyMap<string, Predicate> = new Map([
  ['all', test(BOOL, (items, ask) => items.every((item, i) => isTrue(ask(item, i))))],
  ['any', test(BOOL, (items, ask) => items.some((item, i) => isTrue(ask(item, i))))],
  ['none', test(BOOL, (items, ask) => !items.some((item, i) => isTrue(ask(item, i))))],
  ['one', test(BOOL, (items, ask) => items.filter((item, i) => isTrue(ask(item, i))).length === 1)],
  ['filter', test(arrayOf, (items, ask) => items.filter((item, i) => isTrue(ask(item, i))))],
  ['find', test(ITEM, (items, ask) => items.find((item, i) => isTrue(ask(item, i))) ?? null)],
  ['findLast', test(ITEM, (items, ask) => items.findLast((item, i) => isTrue(ask(item, i))) ?? null)],
  ['findIndex', test(INT, (items, ask) => orNil(items.findIndex((item, i) => isTrue(ask(item, i)))))],
  ['findLastIndex', test(INT, (items, ask) => orNil(items.findLastIndex((item, i) => isTrue(ask(item, i)))))],
  ['count', { ...test(INT, (items, ask) => items.filter((item, i) => isTrue(ask(item, i))).length), isOptional: true }],
  ['map', { isTest: false, result: (_item, asked) => arrayOf(asked), run: (items, ask) => items.map(ask) }],
  ['sum', { isTest: false, isOptional: true, result: (_item, asked) => asked, run: sum }],
  ['reduce', { isTest: false, result: () => TYPE.ANY, run: (items) => [...items] }],
]);

function orNil(index: number): ExpressionValue {
  return index === -1 ? null : index;
}

function sum(items: readonly ExpressionValue[], ask: Ask): number {
  let total = 0;
  for (const [i, item] of items.entries()) {
    const value = ask(item, i);
    if (typeof value !== 'number') throw new ExpressionRunError(`sum: expected a number, not ${typeNameOf(value)}`);
    total += value;
  }
  return total;
}

/** @throws ExpressionError */
export function compilePredicate<C>(
  compiler: Compiler<C>,
  name: string,
  args: readonly ExpressionNode[],
  at: number,
): Compiled<C> {
  const predicate = PREDICATES.get(name)!;
  const isReduce = name === 'reduce';
  if (args.length < (predicate.isOptional ? 1 : 2))
    throw new ExpressionError(`not enough arguments to call ${name}`, at);
  if (args.length > (isReduce ? 3 : 2)) throw new ExpressionError(`too many arguments to call ${name}`, at);
  const array = compiler.compile(args[0]!);
  if (!isAny(array.type) && array.type.kind !== 'array') {
    throw new ExpressionError(`builtin ${name} takes only array (got ${formatType(array.type)})`, at);
  }
  const item = array.type.of ?? TYPE.ANY;
  const initial = args[2] && compiler.compile(args[2]);
  const names = [['#', item], ['#index', TYPE.INT], ['#acc', initial?.type ?? TYPE.ANY]] as const; // biome-ignore format: a list
  return compiler.withLocals(names, ([itemSlot, indexSlot, accSlot]) => {
    const body = args[1] && compiler.compile(args[1]);
    if (predicate.isTest && body && !isAny(body.type) && body.type.kind !== 'bool') {
      throw new ExpressionError(`predicate should return boolean (got ${formatType(body.type)})`, at);
    }
    const askIn = (context: C, frame: Frame): Ask => {
      return (value, index) => {
        if (!body) return value;
        frame[itemSlot!] = value;
        frame[indexSlot!] = index;
        return body.run(context, frame);
      };
    };
    const run: Run<C> = (context, frame) => {
      const items = expectItems(name, array.run(context, frame));
      const ask = askIn(context, frame);
      if (!isReduce) return predicate.run(items, ask);
      if (items.length === 0 && !initial) throw new ExpressionRunError('reduce of empty array with no initial value');
      let start = 0;
      let acc = initial ? initial.run(context, frame) : items[start++]!;
      for (let i = start; i < items.length; i++) {
        frame[accSlot!] = acc;
        acc = ask(items[i]!, i);
      }
      return acc;
    };
    return { type: predicate.result(item, body?.type ?? item), run };
  });
}

function expectItems(name: string, value: ExpressionValue): readonly ExpressionValue[] {
  if (!Array.isArray(value)) throw new ExpressionRunError(`${name}: expected an array, not ${typeNameOf(value)}`);
  return value as readonly ExpressionValue[];
}
