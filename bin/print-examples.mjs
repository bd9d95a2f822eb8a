// Prints what to ask the demo server; runs before it in `npm start`. Plain JavaScript that Node 20 can read.
const COMMANDS = [
  ['a Service, IPv4', 'web.shop.svc.cluster.local A'],
  ['the same, IPv6', 'web.shop.svc.cluster.local AAAA'],
  ['the members of a StatefulSet', '_postgres._tcp.db.shop.svc.cluster.local SRV'],
  ['whose address is this', '-x 10.96.0.17'],
  ['a name outside of the cluster', 'example.org A'],
];

const lines = COMMANDS.map(([what, question]) => `  dig @127.0.0.1 -p 1053 ${question.padEnd(48)} # ${what}`);
process.stdout.write(`Once it runs, ask it from another terminal:\n${lines.join('\n')}\n\n`);
