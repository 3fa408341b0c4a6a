/**
 * The promise as a whole (E1, E2, E3, E5, E8): services that are killed and servers that crash, under
 * load; at the end the books of causes and effects must be equal. `AURA_SEED` draws the same storm
 * again, `AURA_CRASH_ROUNDS` makes it longer.
 */
import { seeded } from '@aura/testing';
import { expect, it } from 'vitest';
import { CrashRun, type CrashRunOptions } from './crash-run.js';
import { differences, type Ledger } from './ledger.js';

const ROUNDS = Number(process.env['AURA_CRASH_ROUNDS'] ?? 6);

/** Runs `body` over services and servers of its own, which are ended whatever happens. */
export async function withCrashRun(
  options: CrashRunOptions,
  body: (run: CrashRun) => Promise<void>,
): Promise<void> {
  const run = await CrashRun.open(options);
  let wentWell = false;
  try {
    await body(run);
    wentWell = true;
  } finally {
    if (!wentWell) console.error(`the logs of the services are in ${run.folder}`);
    await run.close(wentWell);
  }
}

export function itKeepsTheLedger(log: CrashRunOptions['log']): void {
  it(
    'E1 E2 E3 E8: every cause has its effects, once and in order, whatever crashes',
    () =>
      withCrashRun({ log, stocks: ['stock', 'stock'] }, async (run) => {
        const started = performance.now();
        await run.storm(seeded(`crash ledger, ${log}`), ROUNDS);
        const ledger = await run.quiet();
        console.log(figures(run, ledger, performance.now() - started));
        expect(differences(ledger)).toEqual([]);
        expect(run.services.flatMap(({ deaths }) => deaths)).toEqual([]);
      }),
    300_000 + ROUNDS * 60_000,
  );
}

function figures(run: CrashRun, { causes, effects, packed }: Ledger, tookMs: number): string {
  const crashes = [...run.crashes].map(([name, times]) => `${name} ${times}`).join(', ');
  const seconds = (tookMs / 1_000).toFixed(1);
  const books = `${causes.length} causes, ${effects.length} effects, ${packed.length} tasks`;
  return `${books} in ${seconds} s; crashed: ${crashes}`;
}
