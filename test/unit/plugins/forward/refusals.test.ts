// Queries that are not forwarded: REFUSED with an extended error that says why, each counted under its reason and no other. The
// places of all workers together are in fairness.test.ts.
import test from 'ava';
import { Answer } from '../../../../lib/chain/answer.ts';
import { Outcome } from '../../../../lib/chain/outcome.ts';
import { REFUSAL_REASONS } from '../../../../lib/plugins/forward/admission.ts';
import { EDE, RCODE } from '../../../../lib/wire/types.ts';
import { decode, makeQuery } from '../fake-chain.ts';
import { makeForwardRig } from './rig.ts';

const BUSY = 'too many queries under way';
const GREEDY = 'too many queries of this client';

/** Queries of one client, all at once, to an upstream that says nothing. */
const CASES = [
  // reason           options              queries  text
  ['max_concurrent', 'max_concurrent 20', 21, BUSY],
  ['client', '', 2501, GREEDY],
  ['client_rate', 'client_rate 10', 21, GREEDY],
] as const;
for (const [reason, option, count, text] of CASES) {
  test(`refused because of ${reason}: REFUSED, "${text}", counted under its reason`, (t) => {
    const rig = makeForwardRig(`forward . 192.0.2.1 {\n${option}\n}`, { 1: { silent: true } });
    let refused = 0;
    const last = { outcome: Outcome.ANSWERED as Outcome, bytes: Buffer.alloc(0), rcode: -1 };
    for (let i = 0; i < count; i++) {
      const query = makeQuery(`q${i}.test`, rig.clock, { edns: true });
      query.clientAddress.set([10, 0, 0, 1]);
      const answer = new Answer();
      answer.begin(query);
      const result = rig.handler(query, answer);
      if (typeof result === 'object') continue;
      refused++;
      const { packet, bytes } = decode(query, answer, result);
      t.is(packet.answers!.length, 0);
      Object.assign(last, { outcome: result, bytes, rcode: answer.rcode });
    }
    t.is(last.outcome, Outcome.FAILED);
    t.is(last.rcode, RCODE.REFUSED);
    // Option 15 of the OPT record, which stands last: length, code, text (RFC 8914).
    const option15 = Buffer.from([0, 15, 0, 2 + text.length, 0, EDE.OTHER, ...Buffer.from(text)]);
    t.true(last.bytes.includes(option15), last.bytes.toString('latin1'));
    const counted = REFUSAL_REASONS.map((other) => rig.metric('clusterdns_forward_refused_total', { reason: other }));
    t.is(
      counted.reduce((sum, count) => sum + count, 0),
      refused,
    );
    t.true(counted[REFUSAL_REASONS.indexOf(reason)]! > 0);
    t.is(counted.filter((count) => count > 0).length, 1);
  });
}
