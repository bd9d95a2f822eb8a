// Names that a client makes to keep a pattern of the Corefile busy: an engine that tries again and again would not come back.
import test from 'ava';
import { Query } from '../../../lib/chain/query.ts';
import { compileQueryFilter } from '../../../lib/chain/query-filter.ts';
import { encodeQuery } from '../wire-text.ts';
import { BlockRig } from './block-rig.ts';

/** 250 bytes, letters and dots, with an end that fits no pattern below. */
const NAME = `${`${'a'.repeat(61)}.`.repeat(4)}!`;
const PATTERNS = ['(a+)+$', '^(([a-z]+-?)+[.])+$', '(a|aa|[.])*b', '(.*)(.*)(.*)(.*)(.*)(.*)=$'];

for (const pattern of PATTERNS) {
  test(`rewrite name regex ${pattern} comes back`, async (t) => {
    const rig = new BlockRig(`rewrite name regex ${pattern} b.test answer name ${pattern} c.test\nwhoami`);
    for (let i = 0; i < 20; i++) t.is((await rig.ask(NAME)).rcode, 'NOERROR');
  });

  test(`template match ${pattern} comes back`, async (t) => {
    const rig = new BlockRig(
      `template IN A {\nmatch ${pattern}\nanswer "{{ .Name }} 1 IN A 192.0.2.1"\nfallthrough\n}\nwhoami`,
    );
    for (let i = 0; i < 20; i++) t.is((await rig.ask(NAME)).answers.length, 0);
  });

  test(`view expr with matches ${pattern} comes back`, (t) => {
    const filter = compileQueryFilter([`name() matches '${pattern}'`]);
    const packet = encodeQuery({ name: NAME });
    const query = new Query();
    query.parse(packet, 0, packet.length);
    for (let i = 0; i < 20; i++) t.false(filter(query));
  });
}
