// Asks Node for the addresses of every name on standard input, one line a name: `lookup` goes through the C library,
// `resolve` through c-ares, which knows no search list.
import dns from 'node:dns/promises';
import fs from 'node:fs';

const way = process.argv[2];
const NO_RECORD = new Set(['ENODATA', 'ENOTFOUND']);

async function find(name) {
  if (way === 'lookup') return (await dns.lookup(name, { all: true })).map(({ address }) => address);
  const lists = await Promise.all([
    dns.resolve4(name).catch(emptyWhenNoRecord),
    dns.resolve6(name).catch(emptyWhenNoRecord),
  ]);
  return lists.flat();
}

function emptyWhenNoRecord(error) {
  if (NO_RECORD.has(error.code)) return [];
  throw error;
}

for (const name of fs.readFileSync(0, 'utf8').trim().split('\n')) {
  const found = await find(name).catch((error) => [`!${error.code}`]);
  process.stdout.write(`${name} ${found.length === 0 ? '!ENOTFOUND' : found.join(' ')}\n`);
}
