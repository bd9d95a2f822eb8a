// What the `rewrite` directive asks for, as plain data between setup and handler. Both kinds of thread.

/** Which names a rule is about. `text` is lower case with a final dot, or a pattern in Go's syntax for `regex`. */
export type NameMatch = {
  readonly kind: 'exact' | 'prefix' | 'suffix' | 'substring' | 'regex';
  readonly text: string;
};

/** Changes names in answers: owners or, for `value`, the names that records point to. */
export type AnswerRule = { readonly kind: 'name' | 'value'; readonly pattern: string; readonly to: string };

export type NameRule = {
  readonly field: 'name';
  readonly from: NameMatch;
  readonly to: string;
  /** Names in answers are changed back. */
  readonly auto: boolean;
  readonly answers: readonly AnswerRule[];
};

export type EdnsAction = 'set' | 'append' | 'replace' | 'unset';

export type EdnsRule = {
  readonly field: 'edns0';
  readonly action: EdnsAction;
  readonly code: number;
  /** What the option says: bytes, the value of a variable, or the client's address cut to so many bits. */
  readonly data:
    | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
    | { readonly kind: 'variable'; readonly name: string }
    | { readonly kind: 'subnet'; readonly ipv4Bits: number; readonly ipv6Bits: number };
  /** The reply shows the option as it was before. */
  readonly revert: boolean;
};

export type RewriteRule = {
  /** Later rules are looked at although this one applied. */
  readonly isContinued: boolean;
} & (
  | NameRule
  | EdnsRule
  | { readonly field: 'type' | 'class'; readonly from: number; readonly to: number }
  | { readonly field: 'ttl'; readonly from: NameMatch; readonly minSeconds: number; readonly maxSeconds: number }
  | { readonly field: 'rcode'; readonly from: NameMatch; readonly old: number; readonly new: number }
  | { readonly field: 'cname'; readonly from: NameMatch; readonly to: string }
);

export type RewriteOptions = { readonly rules: readonly RewriteRule[] };
