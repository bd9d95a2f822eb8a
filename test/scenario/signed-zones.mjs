// What others make of signatures: delv validates zones that are signed on the fly (`dnssec`) and ahead (`sign`), with each kind of
// key; kdig checks the signatures of messages (`tsig`).
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { expect } from './checks.mjs';
import { ALGORITHMS, writeKey } from './dnssec-keys.mjs';
import { findProgram, makeFolder, runProgram } from './programs.mjs';
import { startServer, stopServer } from './server.mjs';

/** A busy machine takes its time. */
const START_MS = 90_000;

const ZONE = `$TTL 300
@ SOA ns host 1 7200 3600 86400 60
@ NS ns
ns A 192.0.2.1
www A 192.0.2.2
www AAAA 2001:db8::2
alias CNAME www
*.wild TXT "w"
deep.empty A 192.0.2.3
unsigned NS ns.unsigned
ns.unsigned A 192.0.2.4
`;

/** Name, type and what delv says of the answer. */
const QUESTIONS = [
  ['www.z.test', 'A', '; fully validated'],
  ['www.z.test', 'AAAA', '; fully validated'],
  ['z.test', 'SOA', '; fully validated'],
  ['z.test', 'DNSKEY', '; fully validated'],
  ['alias.z.test', 'A', '; fully validated'],
  ['a.wild.z.test', 'TXT', '; fully validated'],
  ['www.z.test', 'MX', '; negative response, fully validated'],
  ['empty.z.test', 'A', '; negative response, fully validated'],
  ['nope.z.test', 'A', '; negative response, fully validated'],
  ['a.b.nope.z.test', 'TXT', '; negative response, fully validated'],
  ['a.wild.z.test', 'A', '; negative response, fully validated'],
];

export async function run(checks) {
  checks.area('signed-zones');
  const canValidate = findProgram('delv') !== undefined;
  if (!canValidate) checks.skip('delv validates what is signed', 'delv is not installed');
  for (const algorithm of canValidate ? Object.keys(ALGORITHMS) : []) {
    await checkZone(checks, algorithm, 'dnssec');
    await checkZone(checks, algorithm, 'sign');
  }
  if (findProgram('kdig') === undefined) checks.skip('kdig checks signed messages', 'kdig is not installed');
  else await checkMessages(checks);
}

async function checkZone(checks, algorithm, plugin) {
  const folder = makeFolder('keys');
  const { base, anchor } = writeKey(folder, 'z.test.', algorithm);
  fs.writeFileSync(path.join(folder, 'anchors'), anchor);
  const lines =
    plugin === 'dnssec'
      ? `dnssec {\n        key file ${base}\n    }\n    file {dir}/zone`
      : `sign {dir}/zone {\n        key file ${base}\n        directory ${folder}\n    }\n    file ${folder}/db.z.test.signed {\n        reload 2s\n    }`;
  const server = await startServer(`z.test:{port} {\n    bind 127.0.0.1\n    ${lines}\n}\n`, {
    files: { zone: ZONE },
    ask: ['z.test.', 'SOA'],
    timeoutMs: START_MS,
  });
  try {
    await checks.check(`delv validates a zone of ${plugin} with a key ${algorithm}`, async () => {
      for (const [name, type, verdict] of QUESTIONS) {
        const words = [
          '@127.0.0.1',
          '-p',
          String(server.port),
          '-a',
          path.join(folder, 'anchors'),
          '+root=z.test',
          name,
          type,
        ];
        const { output } = await runProgram('delv', words);
        expect(
          output.split('\n').includes(verdict),
          `${name} ${type}: want "${verdict}"\n${output}\n${server.program.output}`,
        );
      }
      return `${QUESTIONS.length} answers`;
    });
    await checks.check(`delv takes a changed key ${algorithm} of ${plugin} for none`, async () => {
      const other = writeKey(folder, 'z.test.', algorithm);
      fs.writeFileSync(path.join(folder, 'others'), other.anchor);
      const words = [
        '@127.0.0.1',
        '-p',
        String(server.port),
        '-a',
        path.join(folder, 'others'),
        '+root=z.test',
        'www.z.test',
      ];
      const { output } = await runProgram('delv', words);
      expect(/resolution failed/.test(output) && !/fully validated/.test(output), output);
    });
  } finally {
    await stopServer(server);
  }
}

async function checkMessages(checks) {
  const secret = crypto.randomBytes(32).toString('base64');
  const server = await startServer(
    `z.test:{port} {
    bind 127.0.0.1
    tsig {
        secret known.key. ${secret}
        require all
    }
    transfer {
        to *
    }
    file {dir}/zone
}
`,
    { files: { zone: ZONE }, ask: ['z.test.', 'SOA'], timeoutMs: START_MS },
  );
  const kdig = async (words) => (await runProgram('kdig', ['@127.0.0.1', '-p', String(server.port), ...words])).output;
  try {
    for (const algorithm of ['hmac-sha256', 'hmac-sha512', 'hmac-sha1']) {
      const key = ['-y', `${algorithm}:known.key.:${secret}`];
      await checks.check(`kdig takes replies and transfers signed with ${algorithm}`, async () => {
        for (const words of [['www.z.test'], ['+tcp', 'www.z.test'], ['nope.z.test', 'MX'], ['AXFR', 'z.test']]) {
          const output = await kdig([...key, ...words]);
          expect(output.includes('TSIG') && !/;; (?:WARNING|ERROR)/.test(output), `${words.join(' ')}\n${output}`);
        }
        expect((await kdig([...key, 'AXFR', 'z.test'])).includes('deep.empty.z.test.'), 'no zone');
      });
    }
    await checks.check('kdig without a key, with another secret and with another name is turned away', async () => {
      const other = crypto.randomBytes(32).toString('base64');
      expect((await kdig(['www.z.test'])).includes('status: REFUSED'), 'without');
      const wrong = await kdig(['-y', `hmac-sha256:known.key.:${other}`, 'www.z.test']);
      expect(wrong.includes('status: BADSIG'), wrong);
      const unknown = await kdig(['-y', `hmac-sha256:other.key.:${secret}`, 'www.z.test']);
      expect(unknown.includes('status: BADKEY'), unknown);
    });
  } finally {
    await stopServer(server);
  }
}
