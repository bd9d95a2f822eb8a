import test from 'ava';
import { Outcome } from '../../../lib/chain/outcome.ts';
import type { Handler } from '../../../lib/chain/plugin.ts';
import { SECTION } from '../../../lib/wire/record-index.ts';
import { RCODE, RRTYPE } from '../../../lib/wire/types.ts';
import { BlockRig } from './block-rig.ts';

const V4 = Uint8Array.of(192, 0, 2, 33);
const V6 = Uint8Array.from({ length: 16 }, (_, i) => i);

/** A rest of the chain that has these addresses. */
function rest({ a = true, aaaa = false, rcode = RCODE.NOERROR as number, soaTtl = -1 }): Handler {
  return (query, answer) => {
    answer.rcode = rcode;
    if (query.qtype === RRTYPE.A && a) answer.addAddresses(300, 4, V4, 0, 1);
    else if (query.qtype === RRTYPE.AAAA && aaaa) answer.addAddresses(300, 16, V6, 0, 1);
    else if (soaTtl >= 0) {
      answer.beginRecordAt(SECTION.AUTHORITY, 12, RRTYPE.SOA, soaTtl);
      answer.putBytes(new Uint8Array(22), 0, 22);
      answer.endRecord();
    }
    return Outcome.ANSWERED;
  };
}

const CASES = [
  // body                                  from            rest                        expected answer
  ['dns64', '2001:db8::1', {}, ['64:ff9b::c000:221 300']],
  ['dns64', '2001:db8::1', { soaTtl: 60 }, ['64:ff9b::c000:221 60']],
  ['dns64', '192.0.2.1', {}, []],
  ['dns64 {\nallow_ipv4\n}', '192.0.2.1', {}, ['64:ff9b::c000:221 300']],
  ['dns64', '2001:db8::1', { aaaa: true }, ['1:203:405:607:809:a0b:c0d:e0f 300']],
  ['dns64 {\ntranslate_all\n}', '2001:db8::1', { aaaa: true }, ['64:ff9b::c000:221 300']],
  ['dns64', '2001:db8::1', { rcode: RCODE.NXDOMAIN }, []],
  ['dns64 2001:db8::/32', '2001:db8::1', {}, ['2001:db8:c000:221:: 300']],
  ['dns64 2001:db8:100::/40', '2001:db8::1', {}, ['2001:db8:1c0:2:21:: 300']],
  ['dns64 2001:db8:122::/48', '2001:db8::1', {}, ['2001:db8:122:c000:2:2100:: 300']],
  ['dns64 2001:db8:122:300::/56', '2001:db8::1', {}, ['2001:db8:122:3c0:0:221:: 300']],
  ['dns64 2001:db8:122:344::/64', '2001:db8::1', {}, ['2001:db8:122:344:c0:2:2100:0 300']],
] as const;
for (const [body, from, given, expected] of CASES) {
  test(`dns64: "${body.replaceAll('\n', ' ')}" for ${from} with ${JSON.stringify(given)}`, async (t) => {
    const rig = new BlockRig(body, { last: rest(given) });
    const { answers } = await rig.ask('host.example.org.', { type: 'AAAA', from });
    t.deepEqual(
      answers.map((record) => record.split(/\s+/)).map((fields) => `${fields.at(-1)} ${fields[1]}`),
      [...expected],
    );
  });
}

test('dns64: a failure to get A records shows', async (t) => {
  const rig = new BlockRig('dns64', { last: rest({ a: false, rcode: RCODE.SERVFAIL }) });
  t.is((await rig.ask('host.example.org.', { type: 'AAAA', from: '2001:db8::1' })).rcode, 'SERVFAIL');
});

for (const prefix of ['64:ff9b::/97', '64:ff9b::/30', '10.0.0.0/8', '64:ff9b::', '64:ff9b:0:0:0100::/96']) {
  test(`dns64: the prefix ${prefix} is refused`, (t) => {
    t.throws(() => new BlockRig(`dns64 ${prefix}`), { message: /^dns64: expected/ });
  });
}
