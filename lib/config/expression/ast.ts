// Syntax tree of an expression. Pure data; both kinds of thread.

/** Where a node starts in the expression's text, in characters from 0. */
type At = { readonly at: number };

export type ExpressionNode = At &
  (
    | { readonly kind: 'nil' }
    | { readonly kind: 'boolean'; readonly value: boolean }
    | { readonly kind: 'integer' | 'float'; readonly value: number }
    | { readonly kind: 'string'; readonly value: string }
    | { readonly kind: 'name'; readonly name: string }
    /** `#`, `#acc`, `#index` inside a predicate. */
    | { readonly kind: 'pointer'; readonly name: '' | 'acc' | 'index' }
    | { readonly kind: 'unary'; readonly operator: 'not' | '-' | '+'; readonly operand: ExpressionNode }
    | {
        readonly kind: 'binary';
        readonly operator: string;
        readonly left: ExpressionNode;
        readonly right: ExpressionNode;
      }
    | {
        readonly kind: 'conditional';
        readonly condition: ExpressionNode;
        readonly whenTrue: ExpressionNode;
        readonly whenFalse: ExpressionNode;
      }
    | { readonly kind: 'array'; readonly items: readonly ExpressionNode[] }
    | { readonly kind: 'map'; readonly entries: readonly (readonly [ExpressionNode, ExpressionNode])[] }
    | {
        readonly kind: 'member';
        readonly of: ExpressionNode;
        readonly key: ExpressionNode;
        readonly isOptional: boolean;
      }
    | {
        readonly kind: 'slice';
        readonly of: ExpressionNode;
        readonly from: ExpressionNode | undefined;
        readonly to: ExpressionNode | undefined;
      }
    | { readonly kind: 'call'; readonly name: string; readonly args: readonly ExpressionNode[] }
    | { readonly kind: 'let'; readonly name: string; readonly value: ExpressionNode; readonly body: ExpressionNode }
  );
