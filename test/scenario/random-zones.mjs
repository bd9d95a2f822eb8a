// Random zones, the same for the same seed, and questions for them: what two servers say of them can be compared. Main thread of a
// test program.

const LABELS = ['a', 'b', 'c', 'd', '*'];
const ASKED_LABELS = [...LABELS, 'e'];
const TYPES = ['A', 'A', 'CNAME', 'MX', 'NS', 'TXT', 'DNAME', 'DS', 'SOA'];
const NAMES = 14;
const HEADER = '$TTL 60\n@ SOA ns h 1 3600 600 86400 60\n@ NS ns.elsewhere.\n';

/** Numbers in [0, 1), the same for the same seed (xorshift). */
export function makeRandom(seed) {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** A zone with wildcards, empty non-terminals, aliases, cuts and DNAME records: {origin, text, names}. */
export function makeZone(random, origin) {
  const pick = (list) => list[Math.floor(random() * list.length)];
  const name = () => Array.from({ length: 1 + Math.floor(random() * 3) }, () => pick(LABELS)).join('.');
  const target = () => `${name().replaceAll('*', 'a')}.${origin}`;
  const records = new Map();
  for (let i = 1; i <= NAMES; i++) {
    const owner = name();
    const isWild = owner.includes('*');
    const choice = random();
    let data = ['TXT "t"', `AAAA ::${i}`];
    if (choice < 0.45) data = [`A 192.0.2.${i}`];
    else if (choice < 0.58) data = [`CNAME ${random() < 0.8 ? target() : 'x.elsewhere.'}`];
    else if (choice < 0.7 && !isWild)
      data = [`NS ns.${owner}.${origin}`, ...(random() < 0.4 ? [`DS 1 8 2 ${'ab'.repeat(32)}`] : [])];
    else if (choice < 0.78 && !isWild) data = [`DNAME q.${target()}`];
    else if (choice < 0.88) data = [`MX 5 ${target()}`];
    if (!records.has(owner)) records.set(owner, data);
  }
  // Below a DNAME record nothing may stand (RFC 6672 section 2.4).
  const renamed = [...records].filter(([, [first]]) => first.startsWith('DNAME')).map(([owner]) => owner);
  const names = [...records.keys()].filter((owner) => !renamed.some((above) => owner.endsWith(`.${above}`)));
  const lines = names.flatMap((owner) => records.get(owner).map((data) => `${owner} ${data}\n`));
  return { origin, names, text: `$ORIGIN ${origin}\n${HEADER}${lines.join('')}` };
}

/** Name and type to ask for. */
export function makeQuestion(random, { origin, names }) {
  const pick = (list) => list[Math.floor(random() * list.length)];
  const other = () => Array.from({ length: 1 + Math.floor(random() * 4) }, () => pick(ASKED_LABELS)).join('.');
  const choice = random();
  if (choice < 0.1) return [origin, pick(TYPES)];
  return [`${choice < 0.5 ? pick(names) : other()}.${origin}`, pick(TYPES)];
}

/**
 * What has to be equal: code, AA, answers, and the authority section of what is no answer. The order of records, their TTLs and letter
 * case do not count, of signatures the owner alone.
 */
export function essence({ rcode, aa, answers, authority }) {
  const lines = (records) => [...new Set(records.map(shorten))].sort((a, b) => (a < b ? -1 : Number(a > b)));
  // NS records with an answer are a courtesy.
  const proof = lines(authority).filter(
    (line) => answers.length === 0 || rcode !== 'NOERROR' || !/^[^.]+\.test\. (?:ns|rrsig)/.test(line),
  );
  return { rcode, aa, answers: lines(answers), authority: proof };
}

function shorten(record) {
  return record
    .toLowerCase()
    .replace(/ \d+ in /, ' ')
    .replace(/ rrsig .*/, ' rrsig');
}

/** Whether aliases lead to one another without end: one server sends some of them, the other none. */
export function isLoop(name, { answers }) {
  const aliases = new Map();
  for (const record of answers) {
    const [owner, , , type, target] = record.toLowerCase().split(' ');
    if (type === 'dname' && (target === owner || target.endsWith(`.${owner}`))) return true;
    if (type === 'cname') aliases.set(owner, target);
  }
  const seen = new Set();
  for (let at = name.toLowerCase(); aliases.has(at); at = aliases.get(at)) {
    if (seen.has(at)) return true;
    seen.add(at);
  }
  return false;
}
