// Every black-box check against the portable UDP listener (node:dgram), which systems without recvmmsg get. Main thread of a test
// program; some minutes.
import path from 'node:path';
import { expect } from '../scenario/checks.mjs';
import { Program, PROJECT_DIR } from '../scenario/programs.mjs';

const LIMIT_MS = 30 * 60_000;

export async function run(checks) {
  checks.area('dgram');
  await checks.check('the answers are those of the batched listener', async () => {
    const gate = path.join(PROJECT_DIR, 'test', 'conformance', 'gate.mjs');
    const program = new Program(process.execPath, [gate], { env: { ...process.env, CLUSTERDNS_UDP: 'dgram' } });
    await program.waitEnd(LIMIT_MS);
    const summary = program.output.trim().split('\n').at(-1);
    expect(program.ended.code === 0, program.output.slice(-3000));
    return summary;
  });
}
