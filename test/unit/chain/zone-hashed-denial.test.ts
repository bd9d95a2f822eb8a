// The example zone of RFC 5155 appendix A and the proofs of its appendix B.
import test from 'ava';
import { ZoneRig } from './zone-rig.ts';

const ZONE = `
$TTL 3600
@ IN SOA ns1 bugs.x.w 1 3600 300 3600000 3600
@ NS ns1
@ NS ns2
@ MX 1 xx
@ NSEC3PARAM 1 0 12 aabbccdd
0p9mhaveqvm6t7vbl5lop2u3t2rp3tom NSEC3 1 1 12 aabbccdd 2t7b4g4vsa5smi47k61mv5bv1a22bojr MX DNSKEY NS SOA NSEC3PARAM RRSIG
2t7b4g4vsa5smi47k61mv5bv1a22bojr A 192.0.2.127
2t7b4g4vsa5smi47k61mv5bv1a22bojr NSEC3 1 1 12 aabbccdd 2vptu5timamqttgl4luu9kg21e0aor3s A RRSIG
2vptu5timamqttgl4luu9kg21e0aor3s NSEC3 1 1 12 aabbccdd 35mthgpgcu1qg68fab165klnsnk3dpvl MX RRSIG
35mthgpgcu1qg68fab165klnsnk3dpvl NSEC3 1 1 12 aabbccdd b4um86eghhds6nea196smvmlo4ors995 NS DS RRSIG
a NS ns1.a
a NS ns2.a
a DS 58470 5 1 3079f1593ebad6dc121e202a8b766a6a4837206c
ns1.a A 192.0.2.5
ai A 192.0.2.9
b4um86eghhds6nea196smvmlo4ors995 NSEC3 1 1 12 aabbccdd gjeqe526plbf1g8mklp59enfd789njgi MX RRSIG
c NS ns1.c
ns1.c A 192.0.2.7
gjeqe526plbf1g8mklp59enfd789njgi NSEC3 1 1 12 aabbccdd ji6neoaepv8b5o6k4ev33abha8ht9fgc HINFO A AAAA RRSIG
ji6neoaepv8b5o6k4ev33abha8ht9fgc NSEC3 1 1 12 aabbccdd k8udemvp1j2f7eg6jebps17vp3n8i58h
k8udemvp1j2f7eg6jebps17vp3n8i58h NSEC3 1 1 12 aabbccdd kohar7mbb8dc2ce8a9qvl8hon4k53uhi
kohar7mbb8dc2ce8a9qvl8hon4k53uhi NSEC3 1 1 12 aabbccdd q04jkcevqvmu85r014c7dkba38o0ji5r A RRSIG
ns1 A 192.0.2.1
ns2 A 192.0.2.2
q04jkcevqvmu85r014c7dkba38o0ji5r NSEC3 1 1 12 aabbccdd r53bq7cc2uvmubfu5ocmm6pers9tk9en A RRSIG
r53bq7cc2uvmubfu5ocmm6pers9tk9en NSEC3 1 1 12 aabbccdd t644ebqk9bibcna874givr6joj62mlhv MX RRSIG
t644ebqk9bibcna874givr6joj62mlhv NSEC3 1 1 12 aabbccdd 0p9mhaveqvm6t7vbl5lop2u3t2rp3tom HINFO A AAAA RRSIG
*.w MX 1 ai
x.w MX 1 xx
x.y.w MX 1 xx
xx A 192.0.2.10
`;

const rig = new ZoneRig(['example.']);
test.before(() => rig.publish(ZONE, 'example.'));

const CASES: readonly (readonly [string, string, string, string, readonly string[]])[] = [
  ['B.1 name error', 'a.c.x.w', 'A', 'NXDOMAIN aa', ['b4um86eg', '0p9mhave', '35mthgpg']],
  ['B.2 no data', 'ns1', 'MX', 'NOERROR aa', ['2t7b4g4v']],
  ['B.2.1 no data, empty non-terminal', 'y.w', 'A', 'NOERROR aa', ['ji6neoae']],
  ['B.3 referral to an opt-out unsigned zone', 'mc.c', 'MX', 'NOERROR', ['0p9mhave', '35mthgpg']],
  ['B.4 wildcard expansion', 'a.z.w', 'MX', 'NOERROR aa', ['q04jkcev']],
  ['B.5 wildcard no data', 'a.z.w', 'AAAA', 'NOERROR aa', ['k8udemvp', 'q04jkcev', 'r53bq7cc']],
  ['a signed referral needs none', 'mc.a', 'MX', 'NOERROR', []],
  ['an owner of NSEC3 alone is no name', '0p9mhaveqvm6t7vbl5lop2u3t2rp3tom', 'NSEC3', 'NXDOMAIN aa', []],
];
for (const [what, name, type, head, expected] of CASES) {
  test(`NSEC3: ${what}`, async (t) => {
    const [first, ...lines] = await rig.ask(`${name}.example`, type, true);
    t.is(first, head);
    const owners = lines
      .filter((line) => line.split(' ')[3] === 'NSEC3')
      .map((line) => line.split(' ')[1]!.slice(0, 8));
    if (what.startsWith('an owner')) t.true(owners.length > 0);
    else t.deepEqual(owners.toSorted(), [...expected].toSorted());
  });
}

test('NSEC3: without DO none is sent; with too many iterations neither', async (t) => {
  t.false((await rig.ask('nope.example')).some((line) => line.includes('NSEC3')));
  const slow = new ZoneRig(['example.']);
  await slow.publish(ZONE.replaceAll(' 12 aabbccdd', ' 2500 aabbccdd'), 'example.');
  t.false((await slow.ask('nope.example', 'A', true)).some((line) => line.includes('NSEC3')));
});

test('NSEC3: an owner that is a name as well covers what lies behind it', async (t) => {
  const owners = new Set<string>();
  for (let i = 0; i < 3000; i++) {
    for (const line of await rig.ask(`n${i}.example`, 'A', true)) {
      const [, owner, , type] = line.split(' ');
      if (type === 'NSEC3') owners.add(owner!.slice(0, 8));
    }
  }
  t.true(owners.has('2t7b4g4v'));
});
