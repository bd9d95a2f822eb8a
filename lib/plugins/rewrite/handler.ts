// Changes queries by rules and their answers back. Worker.
import { Answer } from '../../chain/answer.ts';
import { isWaiting, Outcome, type Result } from '../../chain/outcome.ts';
import type { Env, Handler } from '../../chain/plugin.ts';
import { Query } from '../../chain/query.ts';
import { rewriteQuery } from '../../chain/rewritten-query.ts';
import { RCODE } from '../../wire/types.ts';
import { copyWithAlias, findAlias, type ReplacedAlias } from './cname.ts';
import { NameText } from './name-text.ts';
import { changeRcode, clampTtls, copyRecords, copyState, RuleNames } from './response.ts';
import { type CompiledRule, compileRule, type Draft, RuleDraft } from './request.ts';
import type { EdnsRule, RewriteOptions, RewriteRule } from './rules.ts';

/** Queries and answers kept for reuse; more are left to the garbage collector. */
const MAX_POOLED = 64;
/** An answer that grew beyond this is not kept. */
const MAX_POOLED_BYTES = 8192;

type Pair = { readonly query: Query; readonly answer: Answer };

/** An answer on its way back: `query` is what the next plugin was asked, `asked` what the client asked. */
type Change = {
  readonly query: Query;
  readonly asked: Query;
  readonly from: Answer;
  readonly to: Answer;
  readonly draft: Draft;
  readonly outcome: Outcome;
};

export function createRewriteHandler(options: RewriteOptions, env: Env): Handler {
  return new RewriteHandler(options, env).serve;
}

class RewriteHandler {
  readonly #env: Env;
  readonly #rules: CompiledRule[];
  /** Options that rules are about and that replies repeat. */
  readonly #codes: ReadonlySet<number>;
  readonly #name = new NameText();
  readonly #pool: Pair[] = [];

  constructor(options: RewriteOptions, env: Env) {
    this.#env = env;
    this.#rules = options.rules.map(compileRule);
    this.#codes = new Set(options.rules.flatMap((rule) => (isRepeated(rule) ? [rule.code] : [])));
  }

  readonly serve: Handler = (query, answer) => {
    const draft = this.#draft(query);
    if (draft === undefined) return this.#env.next(query, answer);
    if (draft.illegal !== '') {
      answer.fail(RCODE.SERVFAIL, `invalid name after rewrite: ${draft.illegal}`);
      return Outcome.FAILED;
    }
    const isChanged = draft.name !== undefined || draft.type !== query.qtype || draft.class !== query.qclass;
    if (!isChanged && draft.options === undefined && !draft.changesNames) {
      return this.#runInPlace(query, query, answer, draft);
    }
    return this.#runRewritten(query, answer, draft);
  };

  /** What the rules make of the query; undefined when none applies. Allocates only when one does. */
  #draft(query: Query): Draft | undefined {
    let draft: RuleDraft | undefined;
    const name = this.#name;
    name.set(query.name, query.nameLength);
    for (let i = 0; i < this.#rules.length; i++) {
      const { rule, test, apply } = this.#rules[i]!;
      if (
        !test(name, draft === undefined ? query.qtype : draft.type, draft === undefined ? query.qclass : draft.class)
      ) {
        continue;
      }
      draft ??= new RuleDraft(query);
      if (!apply(draft, name)) continue;
      if (draft.illegal !== '' || !rule.isContinued) break;
    }
    return draft;
  }

  #runRewritten(query: Query, answer: Answer, draft: Draft): Result {
    const pair = this.#pool.pop() ?? { query: new Query(), answer: new Answer() };
    rewriteQuery(
      query,
      {
        name: draft.name ?? (query.renamed ? query.name : query.rawName),
        type: draft.type,
        class: draft.class,
        options: draft.options?.encode() ?? optionsOf(query),
        udpSize: draft.options?.udpSize ?? query.udpSize,
      },
      pair.query,
    );
    // With the same name pointers into the question mean the same: the answer can be made in its final place.
    if (draft.name === undefined && !draft.changesNames) {
      return this.#finish(this.#runInPlace(pair.query, query, answer, draft), pair, query, answer, draft);
    }
    const { query: rewritten, answer: from } = pair;
    from.begin(rewritten);
    const result = whenReady(this.#env.next(rewritten, from), (outcome) =>
      this.#change({ query: rewritten, asked: query, from, to: answer, draft, outcome }),
    );
    return this.#finish(result, pair, query, answer, draft);
  }

  /** Makes the answer in its final place. @param query goes to the next plugin */
  #runInPlace(query: Query, asked: Query, answer: Answer, draft: Draft): Result {
    const result = this.#env.next(query, answer);
    return whenReady(result, (outcome) => this.#change({ query, asked, from: answer, to: answer, draft, outcome }));
  }

  /** Applies the rules for answers. */
  #change(change: Change): Result {
    const { query, from, draft, outcome } = change;
    if (outcome === Outcome.DROPPED) return outcome;
    const alias = draft.cnames.length === 0 ? undefined : findAlias(from, draft.cnames);
    if (alias === undefined) return complete(change, undefined);
    const into = new Answer();
    const resolved = this.#env.resolve(query, alias.target, query.qtype, into);
    return whenReady(resolved, () => complete(change, { ...alias, into }));
  }

  #finish(result: Result, pair: Pair, query: Query, answer: Answer, draft: Draft): Result {
    return whenReady(result, (outcome) => this.#release(pair, query, answer, draft, outcome));
  }

  /** Puts options right and gives the pair back. */
  #release(pair: Pair, query: Query, answer: Answer, draft: Draft, outcome: Outcome): Outcome {
    // `header` may have changed it, and the reply repeats it.
    query.recursionDesired = pair.query.recursionDesired;
    if (draft.options !== undefined && query.hasEdns) {
      const withNsid = answer.options.length === 0;
      const options = draft.options.encodeReply(draft.reverts, this.#codes, withNsid);
      answer.options = withNsid ? options : Buffer.concat([answer.options, options]);
      // What the client sent is not repeated beside it.
      query.optionsLength = 0;
    }
    if (this.#pool.length < MAX_POOLED && pair.answer.bytes.length <= MAX_POOLED_BYTES) this.#pool.push(pair);
    return outcome;
  }
}

/** Brings the answer, changed by the rules, to its place; what follows a replaced alias is new. */
function complete({ asked, from, to, draft, outcome }: Change, alias: ReplacedAlias | undefined): Outcome {
  const rules = draft.responses;
  clampTtls(from, rules);
  if (from !== to || alias !== undefined) {
    const source = from === to ? cloneAnswer(asked, from) : from;
    to.begin(asked);
    copyState(to, source);
    if (alias !== undefined) to.truncated = alias.into.truncated;
    const names = new RuleNames(rules);
    if (alias === undefined) copyRecords(to, source, names);
    else copyWithAlias(to, source, names, alias);
    if (names.illegal !== '') {
      to.fail(RCODE.SERVFAIL, `invalid name in the answer after rewrite: ${names.illegal}`);
      return Outcome.FAILED;
    }
  }
  changeRcode(to, rules);
  // A bare code counts as an answer once rules have looked at it; one that says why stays an error for `errors`.
  return outcome === Outcome.FAILED && to.error === '' ? Outcome.ANSWERED : outcome;
}

function cloneAnswer(asked: Query, from: Answer): Answer {
  const clone = new Answer();
  clone.begin(asked);
  copyState(clone, from);
  copyRecords(clone, from, undefined);
  return clone;
}

function whenReady<T extends Outcome>(value: T | Promise<T>, run: (value: T) => Result): Result {
  return isWaiting(value) ? value.then(run) : run(value);
}

/** Clients are told of local options; of their subnet only upstreams are. */
function isRepeated(rule: RewriteRule): rule is RewriteRule & EdnsRule {
  return rule.field === 'edns0' && rule.data.kind !== 'subnet';
}

function optionsOf(query: Query): Uint8Array | undefined {
  if (!query.hasEdns) return undefined;
  const at = query.packetAt + query.optionsAt;
  return query.packet.slice(at, at + query.optionsLength);
}
