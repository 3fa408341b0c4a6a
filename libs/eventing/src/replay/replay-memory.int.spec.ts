import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { testDatabase } from '@aura/testing';
import { expect, it } from 'vitest';
import { bundle } from '../../test/bundle.js';
import type { ReplayReport } from '../../test/replay-process.js';

const EVENTS = 20_000;
const MIB = 1024 ** 2;

it('E9: a replay holds no more after a long history than after a short one, in small appends', async () => {
  const database = await testDatabase('replay_memory');
  const program = await bundle('replay-process.ts');
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--expose-gc',
      program.path,
      database.url,
      'ledger.events',
      String(EVENTS),
    ]);
    const report = JSON.parse(stdout) as ReplayReport;
    console.log(`[replay] ${stdout.trim()}`);
    const [first = 0, ...later] = report.heap;
    expect(later).toHaveLength(3);
    // The three quarters that follow the first carry 15 MiB of bodies.
    expect(Math.max(...later) - first).toBeLessThan(5 * MIB);
    expect(report.appends).toBeGreaterThanOrEqual(EVENTS / 500);
  } finally {
    await program.remove();
    await database.drop();
  }
}, 120_000);
