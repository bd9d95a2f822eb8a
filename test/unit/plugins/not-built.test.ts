// What is left out of CoreDNS for good: refused at its line, with what to write instead.
import test from 'ava';
import { ConfigError } from '../../../lib/base/errors.ts';
import { createLogger } from '../../../lib/base/log.ts';
import { checkCorefile } from '../../../lib/control/check.ts';
import { NOT_BUILT_ADVICE, PLUGIN_ORDER } from '../../../lib/plugins/order.ts';
import { SETUPS } from '../../../lib/plugins/setups.ts';

async function check(text: string): Promise<readonly ConfigError[]> {
  return checkCorefile({ text, file: 'Corefile' }, 53, createLogger({ sink: () => {} }));
}

for (const [name, advice] of Object.entries(NOT_BUILT_ADVICE)) {
  test(`${name} is refused at its line, with advice`, async (t) => {
    t.true((PLUGIN_ORDER as readonly string[]).includes(name));
    t.false(name in SETUPS, 'it is built: take it off the list');
    const [error, ...others] = await check(`.:1053 {\n    whoami\n    ${name} x\n}\n`);
    t.is(error?.code, 'DIRECTIVE_NOT_BUILT');
    t.is(error?.format(), `Corefile:3: ${name}: this CoreDNS plugin is not built here, ${advice}`);
    t.deepEqual(others, []);
  });
}

const TRANSPORTS: readonly (readonly [key: string, message: RegExp])[] = [
  ['quic://.:1853', /^Corefile:1: quic:\/\/: .*serve tls:\/\//],
  ['https3://.:1443', /^Corefile:1: https3:\/\/: .*serve https:\/\//],
];
for (const [key, message] of TRANSPORTS) {
  test(`a key ${key} is refused with advice`, async (t) => {
    const [error, ...others] = await check(`${key} {\n    whoami\n}\n`);
    t.true(error instanceof ConfigError);
    t.regex(error!.format(), message);
    t.deepEqual(others, []);
  });
}

test('grpc://, https:// and tls:// keys are taken', async (t) => {
  t.deepEqual(await check('grpc://.:1444 https://.:1443 tls://.:1853 {\n    whoami\n}\n'), []);
});
