import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { parseEventHeaders } from '@aura/contracts';
import { postgresLog } from '@aura/event-log';
import { testDatabase } from '@aura/testing';
import { expect, it } from 'vitest';
import type { BacklogReport } from '../../test/backlog-process.js';
import { bundle } from '../../test/bundle.js';
import { Entry, ledger, OutboxKit } from '../../test/outbox-kit.js';

const MIB = 1024 ** 2;
/** How much has to wait before the log comes back; `AURA_BUDGET_MB=1024` for a long run (minutes). */
const BUDGET_MIB = Number(process.env['AURA_BUDGET_MB'] ?? 80);
/** What relay and units may hold at once, whatever waits. */
const HELD_MIB = 36;

it(
  'E9: a log that is away costs disk up to the budget, not memory; all that was accepted is published',
  async () => {
    const logDatabase = await testDatabase('backlog_log');
    const log = postgresLog({ url: logDatabase.url });
    const kit = await OutboxKit.make('backlog', log);
    await kit.pool.query(
      `create table account (key text primary key, serial bigint not null default 0);
       insert into account (key) select 'k' || n from generate_series(0, 15) n`,
    );
    const main = await bundle('backlog-process.ts');
    const args = ['--expose-gc', main.path, kit.database.url, logDatabase.url, String(BUDGET_MIB)];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    await main.remove();
    const report = JSON.parse(stdout) as BacklogReport;
    console.info('backlog:', JSON.stringify(report));

    expect(report.refused).toBe(8); // each writer, once
    expect(report.waitingBytes).toBeGreaterThan(BUDGET_MIB * MIB);
    // Flat: what is held depends on the limits, not on what waits.
    expect(report.heap.full - report.heap.before).toBeLessThan(HELD_MIB * MIB);
    expect(report.heap.draining - report.heap.before).toBeLessThan(HELD_MIB * MIB);
    expect(HELD_MIB).toBeLessThan(BUDGET_MIB / 2); // or this would show nothing

    const { rows: accounts } = await kit.pool.query<{ key: string; serial: string }>(
      'select key, serial from account',
    );
    expect(await serialsInOrder(kit)).toEqual(
      Object.fromEntries(accounts.map(({ key, serial }) => [key, Number(serial)])),
    );
    expect(accounts.reduce((sum, { serial }) => sum + Number(serial), 0)).toBe(report.accepted);
    await kit.drop();
    await logDatabase.drop();
  },
  Math.max(120_000, BUDGET_MIB * 2_000),
);

/** E1, E2: the highest serial of each key, where they are 1, 2, 3, … without a gap; repeats are no harm. */
async function serialsInOrder(kit: OutboxKit): Promise<Record<string, number>> {
  const serials: Record<string, number> = {};
  for (const { partition, first, end } of await kit.log.bounds(kit.topic))
    for await (const { key, value, headers } of kit.log.scan(kit.topic, partition, first, end)) {
      const { fingerprint } = parseEventHeaders(headers);
      const { serial } = (await ledger.decode(Entry, value, kit.registry, fingerprint)) as { serial: bigint };
      if (serial <= (serials[key] ?? 0)) continue;
      expect(Number(serial)).toBe((serials[key] ?? 0) + 1);
      serials[key] = Number(serial);
    }
  return serials;
}
