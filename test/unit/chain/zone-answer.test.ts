import test from 'ava';
import { Answer } from '../../../lib/chain/answer.ts';
import { Outcome } from '../../../lib/chain/outcome.ts';
import { ZoneAnswers } from '../../../lib/chain/zone-answer.ts';
import { findZone } from '../../../lib/store/zone-directory.ts';
import { describe, makeQuery, ZoneRig } from './zone-rig.ts';

const ZONE = `
$TTL 1h
@ IN SOA ns1 host 7 7200 1800 1209600 300
@ IN NS ns1
@ IN NS ns.other.test.
@ IN MX 10 mail
@ IN MX 20 mail
ns1 IN A 192.0.2.53
mail 60 IN A 192.0.2.25
mail 60 IN AAAA 2001:db8::25
www IN A 192.0.2.1
alias IN CNAME www
alias2 IN CNAME alias
dangling IN CNAME nowhere
toent IN CNAME ent
tochild IN CNAME x.child
towild IN CNAME a.wild
outside IN CNAME www.other.test.
loop1 IN CNAME loop2
loop2 IN CNAME loop1
*.wild IN A 192.0.2.77
*.wild IN TXT "wild"
exists.wild IN A 192.0.2.78
x.ent.wild IN A 192.0.2.79
*.wcname IN CNAME www
deep.er.ent IN TXT "deep"
child IN NS ns.child
child IN NS ns1
child IN DS 1 13 2 0b9fa5a59eed715c26c1020c711b4f6ec42d58b0015e14337a39dad301c5afc3
ns.child IN A 192.0.2.60
hidden.child IN A 192.0.2.61
d 30 IN DNAME target
x.target IN A 192.0.2.90
below.d IN A 192.0.2.91
far IN DNAME ${'l.'.repeat(100)}
self IN DNAME self
todname IN CNAME x.d
tonodname IN CNAME below.d
d2 IN DNAME d
*.wtoent IN CNAME ent
towtoent IN CNAME a.wtoent
srv IN SRV 0 5 80 MAIL
svc IN HTTPS 1 mail alpn=h2
x.*.starent IN TXT "below a wildcard without records"
`;

const rig = new ZoneRig(['example.org.']);
test.before(() => rig.publish(ZONE, 'example.org.'));

const NS = ['authority example.org. 3600 NS ns1.example.org.', 'authority example.org. 3600 NS ns.other.test.'];
const SOA = 'authority example.org. 3600 SOA ns1.example.org. host.example.org. 7 7200 1800 1209600 300';
const REFERRAL = [
  'authority child.example.org. 3600 NS ns.child.example.org.',
  'authority child.example.org. 3600 NS ns1.example.org.',
  'additional ns.child.example.org. 3600 A 192.0.2.60',
];
const WWW = 'answer www.example.org. 3600 A 192.0.2.1';

const CASES: readonly (readonly [string, string, readonly string[]])[] = [
  ['www.example.org', 'A', ['NOERROR aa', WWW, ...NS]],
  ['www.example.org', 'AAAA', ['NOERROR aa', SOA]],
  ['www.example.org', 'ANY', ['NOERROR aa', SOA]],
  ['www.example.org', 'TYPE0', ['NOERROR aa', SOA]],
  ['example.org', 'TYPE0', ['NOERROR aa', SOA]],
  ['nope.example.org', 'A', ['NXDOMAIN aa', SOA]],
  ['example.org', 'SOA', ['NOERROR aa', SOA.replace('authority', 'answer'), ...NS]],
  [
    'example.org',
    'NS',
    [
      'NOERROR aa',
      ...NS.map((line) => line.replace('authority', 'answer')),
      'additional ns1.example.org. 3600 A 192.0.2.53',
    ],
  ],
  [
    'example.org',
    'MX',
    [
      'NOERROR aa',
      'answer example.org. 3600 MX 10 mail.example.org.',
      'answer example.org. 3600 MX 20 mail.example.org.',
      ...NS,
      'additional mail.example.org. 60 A 192.0.2.25',
      'additional mail.example.org. 60 AAAA 2001:db8::25',
    ],
  ],
  // An empty non-terminal exists (RFC 8020), also below a wildcard (RFC 4592 section 2.2.2).
  ['ent.example.org', 'A', ['NOERROR aa', SOA]],
  ['er.ent.example.org', 'A', ['NOERROR aa', SOA]],
  ['ent.wild.example.org', 'A', ['NOERROR aa', SOA]],
  ['x.er.ent.example.org', 'A', ['NXDOMAIN aa', SOA]],
  // Wildcards (RFC 4592).
  ['a.wild.example.org', 'A', ['NOERROR aa', 'answer a.wild.example.org. 3600 A 192.0.2.77', ...NS]],
  ['a.b.wild.example.org', 'TXT', ['NOERROR aa', 'answer a.b.wild.example.org. 3600 TXT "wild"', ...NS]],
  ['a.wild.example.org', 'MX', ['NOERROR aa', SOA]],
  ['exists.wild.example.org', 'TXT', ['NOERROR aa', SOA]],
  ['x.exists.wild.example.org', 'A', ['NXDOMAIN aa', SOA]],
  ['a.ent.wild.example.org', 'A', ['NXDOMAIN aa', SOA]],
  ['*.wild.example.org', 'A', ['NOERROR aa', 'answer *.wild.example.org. 3600 A 192.0.2.77', ...NS]],
  ['y.starent.example.org', 'A', ['NOERROR aa', SOA]],
  ['a.wcname.example.org', 'A', ['NOERROR aa', 'answer a.wcname.example.org. 3600 CNAME www.example.org.', WWW, ...NS]],
  // Aliases.
  ['alias.example.org', 'A', ['NOERROR aa', 'answer alias.example.org. 3600 CNAME www.example.org.', WWW, ...NS]],
  ['alias.example.org', 'CNAME', ['NOERROR aa', 'answer alias.example.org. 3600 CNAME www.example.org.', ...NS]],
  [
    'alias2.example.org',
    'AAAA',
    [
      'NOERROR aa',
      'answer alias2.example.org. 3600 CNAME alias.example.org.',
      'answer alias.example.org. 3600 CNAME www.example.org.',
      SOA,
    ],
  ],
  ['dangling.example.org', 'A', ['NXDOMAIN aa', 'answer dangling.example.org. 3600 CNAME nowhere.example.org.', SOA]],
  ['toent.example.org', 'A', ['NOERROR aa', 'answer toent.example.org. 3600 CNAME ent.example.org.', SOA]],
  [
    'tochild.example.org',
    'A',
    ['NOERROR aa', 'answer tochild.example.org. 3600 CNAME x.child.example.org.', ...REFERRAL],
  ],
  [
    'towild.example.org',
    'A',
    [
      'NOERROR aa',
      'answer towild.example.org. 3600 CNAME a.wild.example.org.',
      'answer a.wild.example.org. 3600 A 192.0.2.77',
      ...NS,
    ],
  ],
  ['outside.example.org', 'A', ['NOERROR aa', 'answer outside.example.org. 3600 CNAME www.other.test.', ...NS]],
  ['loop1.example.org', 'A', ['SERVFAIL']],
  // Zone cuts.
  ['child.example.org', 'A', ['NOERROR', ...REFERRAL]],
  ['child.example.org', 'NS', ['NOERROR', ...REFERRAL]],
  ['x.y.child.example.org', 'DS', ['NOERROR', ...REFERRAL]],
  ['hidden.child.example.org', 'A', ['NOERROR', ...REFERRAL]],
  [
    'child.example.org',
    'DS',
    [
      'NOERROR aa',
      'answer child.example.org. 3600 DS 1 13 2 0B9FA5A59EED715C26C1020C711B4F6EC42D58B0015E14337A39DAD301C5AFC3',
      ...NS,
    ],
  ],
  // DNAME (RFC 6672).
  [
    'x.d.example.org',
    'A',
    [
      'NOERROR aa',
      'answer d.example.org. 30 DNAME target.example.org.',
      'answer x.d.example.org. 30 CNAME x.target.example.org.',
      'answer x.target.example.org. 3600 A 192.0.2.90',
      ...NS,
    ],
  ],
  ['d.example.org', 'DNAME', ['NOERROR aa', 'answer d.example.org. 30 DNAME target.example.org.', ...NS]],
  ['d.example.org', 'A', ['NOERROR aa', SOA]],
  [
    'below.d.example.org',
    'A',
    [
      'NXDOMAIN aa',
      'answer d.example.org. 30 DNAME target.example.org.',
      'answer below.d.example.org. 30 CNAME below.target.example.org.',
      SOA,
    ],
  ],
  [
    'todname.example.org',
    'A',
    [
      'NOERROR aa',
      'answer todname.example.org. 3600 CNAME x.d.example.org.',
      'answer d.example.org. 30 DNAME target.example.org.',
      'answer x.d.example.org. 30 CNAME x.target.example.org.',
      'answer x.target.example.org. 3600 A 192.0.2.90',
      ...NS,
    ],
  ],
  [
    'tonodname.example.org',
    'A',
    [
      'NXDOMAIN aa',
      'answer tonodname.example.org. 3600 CNAME below.d.example.org.',
      'answer d.example.org. 30 DNAME target.example.org.',
      'answer below.d.example.org. 30 CNAME below.target.example.org.',
      SOA,
    ],
  ],
  [
    'x.d2.example.org',
    'A',
    [
      'NOERROR aa',
      'answer d2.example.org. 3600 DNAME d.example.org.',
      'answer x.d2.example.org. 3600 CNAME x.d.example.org.',
      'answer d.example.org. 30 DNAME target.example.org.',
      'answer x.d.example.org. 30 CNAME x.target.example.org.',
      'answer x.target.example.org. 3600 A 192.0.2.90',
      ...NS,
    ],
  ],
  [
    'towtoent.example.org',
    'A',
    [
      'NOERROR aa',
      'answer towtoent.example.org. 3600 CNAME a.wtoent.example.org.',
      'answer a.wtoent.example.org. 3600 CNAME ent.example.org.',
      SOA,
    ],
  ],
  ['x.self.example.org', 'A', ['SERVFAIL']],
  ['x.self.example.org', 'CNAME', ['SERVFAIL']],
  [
    `${'a'.repeat(60)}.far.example.org`,
    'A',
    ['YXDOMAIN aa', `answer far.example.org. 3600 DNAME ${'l.'.repeat(100)}`, ...NS],
  ],
  // Targets keep their letters, their addresses are found all the same.
  [
    'srv.example.org',
    'SRV',
    [
      'NOERROR aa',
      'answer srv.example.org. 3600 SRV 0 5 80 mail.example.org.',
      ...NS,
      'additional mail.example.org. 60 A 192.0.2.25',
      'additional mail.example.org. 60 AAAA 2001:db8::25',
    ],
  ],
  [
    'svc.example.org',
    'HTTPS',
    [
      'NOERROR aa',
      'answer svc.example.org. 3600 HTTPS 1 mail.example.org. alpn="h2"',
      ...NS,
      'additional mail.example.org. 60 A 192.0.2.25',
      'additional mail.example.org. 60 AAAA 2001:db8::25',
    ],
  ],
  ['example.org', 'AXFR', ['REFUSED']],
  ['example.com', 'A', ['REFUSED']],
];
for (const [name, type, expected] of CASES) {
  test(`zone: ${name.slice(-40)} ${type} is ${expected[0]} with ${expected.length - 1} records`, async (t) => {
    t.deepEqual(await rig.ask(name, type), [...expected]);
  });
}

test('zone: the root as zone: the authority section names it, a missing name has its SOA', async (t) => {
  const root = new ZoneRig(['.']);
  await root.publish(
    '@ 60 IN SOA a.root. h. 1 2 3 4 5\n@ 60 IN NS a.root.\na.root. 60 IN A 192.0.2.1\norg. 60 IN NS b.org.\nb.org. 60 IN A 192.0.2.2\n',
    '.',
  );
  t.deepEqual(await root.ask('a.root'), ['NOERROR aa', 'answer a.root. 60 A 192.0.2.1', 'authority . 60 NS a.root.']);
  t.deepEqual(await root.ask('x.test'), ['NXDOMAIN aa', 'authority . 60 SOA a.root. h. 1 2 3 4 5']);
  t.deepEqual(await root.ask('www.example.org'), [
    'NOERROR',
    'authority org. 60 NS b.org.',
    'additional b.org. 60 A 192.0.2.2',
  ]);
});

test('zone: fallthrough passes on missing names and empty non-terminals, nothing else', async (t) => {
  const passed: string[] = [];
  const through = new ZoneRig(['example.org.'], {
    fallthrough: ['.'],
    elsewhere: (query) => {
      passed.push(query.formatName());
      return 0;
    },
  });
  await through.publish(ZONE, 'example.org.');
  for (const name of ['nope', 'ent', 'www', 'x.child', 'a.wild', 'dangling'])
    await through.ask(`${name}.example.org`, 'TXT');
  t.deepEqual(passed, ['nope.example.org.', 'ent.example.org.', 'nowhere.example.org.']);
});

test('zone: not loaded is SERVFAIL, expired is SERVFAIL until it is not', async (t) => {
  const fresh = new ZoneRig(['example.org.']);
  t.deepEqual(await fresh.ask('www.example.org'), ['SERVFAIL']);
  await fresh.publish(ZONE, 'example.org.');
  const origin = Buffer.from('\x07example\x03org\0', 'latin1');
  fresh.publisher.setExpired(origin, true);
  t.deepEqual(await fresh.ask('www.example.org'), ['SERVFAIL']);
  fresh.publisher.setExpired(origin, false);
  t.is((await fresh.ask('www.example.org'))[0], 'NOERROR aa');
});

test('zone: a wait for an alias outside ends with the records that were true when it began', async (t) => {
  let release = (): void => {};
  const waiting = new ZoneRig(['example.org.'], {
    elsewhere: () =>
      new Promise((resolve) => {
        release = () => resolve(0);
      }),
  });
  await waiting.publish(ZONE, 'example.org.');
  const asked = waiting.ask('outside.example.org');
  await waiting.publish(ZONE.replace('ns.other.test.', 'ns.new.test.').replace('host 7', 'host 8'), 'example.org.');
  release();
  t.deepEqual(await asked, ['NOERROR aa', 'answer outside.example.org. 3600 CNAME www.other.test.', SOA]);
});

const SIGNED = `
@ 60 IN SOA ns h 7 2 3 4 5
@ 60 IN NS ns
@ 60 IN NSEC a SOA NS RRSIG NSEC
@ 60 IN RRSIG SOA 13 2 60 20300101000000 20200101000000 1 z.test. AAAA
@ 60 IN RRSIG NS 13 2 60 20300101000000 20200101000000 1 z.test. AAAB
@ 60 IN RRSIG NSEC 13 2 60 20300101000000 20200101000000 1 z.test. AAAC
a 60 IN A 192.0.2.1
a 60 IN NSEC cut A NSEC RRSIG
a 60 IN RRSIG A 13 3 60 20300101000000 20200101000000 1 z.test. AAAD
a 60 IN RRSIG NSEC 13 3 60 20300101000000 20200101000000 1 z.test. AAAE
*.w 60 IN A 192.0.2.2
*.w 60 IN NSEC x.*.y A NSEC RRSIG
*.w 60 IN RRSIG A 13 3 60 20300101000000 20200101000000 1 z.test. AAAF
x.*.y 60 IN A 192.0.2.3
x.*.y 60 IN NSEC @ A NSEC RRSIG
cut 60 IN NS ns.cut
cut 60 IN NSEC *.w NS NSEC RRSIG
ns.cut 60 IN A 192.0.2.4
`;

const PROOFS: readonly (readonly [string, string, string, readonly string[]])[] = [
  ['a positive answer has the signatures of answer and authority', 'a', 'A', ['a RRSIG', '@ RRSIG']],
  ['NODATA: the NSEC of the name', 'a', 'TXT', ['@ RRSIG', 'a NSEC', 'a RRSIG']],
  [
    'NXDOMAIN: the NSEC before the name, the NSEC before the wildcard',
    'nope',
    'A',
    ['@ RRSIG', 'cut NSEC', '@ NSEC', '@ RRSIG'],
  ],
  ['a wildcard answer: nothing closer', 'q.w', 'A', ['q.w RRSIG', '@ RRSIG', '*.w NSEC']],
  ['NODATA of a wildcard: its NSEC proves both', 'q.w', 'TXT', ['@ RRSIG', '*.w NSEC']],
  ['an empty non-terminal: the NSEC that spans it', 'w', 'A', ['@ RRSIG', 'cut NSEC']],
  [
    'a wildcard without records: nothing closer, and the NSEC that spans it',
    'q.y',
    'A',
    ['@ RRSIG', 'x.*.y NSEC', '*.w NSEC'],
  ],
  ['an insecure referral: the NSEC of the cut', 'q.cut', 'A', ['cut NSEC']],
];
for (const [what, name, type, expected] of PROOFS) {
  test(`zone: DO: ${what}`, async (t) => {
    const signed = new ZoneRig(['z.test.']);
    await signed.publish(SIGNED, 'z.test.');
    const proofs = (await signed.ask(`${name}.z.test`, type, true))
      .slice(1)
      .map((line) => line.split(' '))
      .filter(([, , , rrtype]) => rrtype === 'NSEC' || rrtype === 'RRSIG')
      .map(([, owner, , rrtype]) => `${owner!.replace(/\.?z\.test\.$/, '') || '@'} ${rrtype}`);
    t.deepEqual(proofs, [...expected]);
    const plain = await signed.ask(`${name}.z.test`, type);
    t.false(plain.some((line) => line.includes('NSEC') || line.includes('RRSIG')));
  });
}

test('zone: a batch that found a version answers from all of it, whatever was published meanwhile', async (t) => {
  const busy = new ZoneRig(['example.org.']);
  await busy.publish(ZONE, 'example.org.');
  const answers = new ZoneAnswers({ store: busy.store, resolve: () => Outcome.FAILED }, 'file', undefined);
  const query = makeQuery('alias2.example.org', 'A');
  busy.store.enter();
  const zone = findZone(busy.store, busy.directory, query, 1);
  const entries = busy.writer.stats().entries;
  for (let serial = 8; serial < 12; serial++) {
    await busy.publish(ZONE.replace('host 7', `host ${serial}`).replace('www IN A', 'other IN A'), 'example.org.');
  }
  const answer = new Answer();
  answer.begin(query);
  t.is(answers.serve(query, answer, zone, 1), Outcome.ANSWERED);
  t.is(describe(answer, answer.length)[3], WWW);
  busy.store.leave();
  while (busy.writer.commit());
  t.is(busy.writer.stats().entries, entries);
});
