// Suggestions for misspelt words.
import test from 'ava';
import { findNearest } from '../../../lib/base/nearest.ts';
import { quote } from '../../../lib/base/quote.ts';
import { PLUGIN_ORDER } from '../../../lib/plugins/order.ts';

const WORDS = [
  ['rewirte', 'rewrite'],
  ['foward', 'forward'],
  ['FORWARD', 'forward'],
  ['kubernets', 'kubernetes'],
  ['promethus', 'prometheus'],
  ['loadbalancer', 'loadbalance'],
  ['chache', 'cache'],
  ['kind', 'bind'],
  ['zz', undefined],
  ['', undefined],
  ['nosuch', undefined],
  ['x'.repeat(100_000), undefined],
] as const;
for (const [word, expected] of WORDS)
  test(`${word.slice(0, 20) || '(empty)'} suggests ${expected ?? 'nothing'}`, (t) => {
    t.is(findNearest(word, PLUGIN_ORDER), expected);
  });

test('quote: shows what cannot be seen, keeps letters, cuts long text', (t) => {
  t.is(quote('\ufeffwho\u200b\u0000\u00a0é a'), String.raw`"\ufeffwho\u200b\u0000\u00a0é a"`);
  t.is(quote('abcdef', 3), '"abc..."');
});
