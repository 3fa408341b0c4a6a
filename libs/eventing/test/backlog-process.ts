// A service under load whose log is away until its budget is used up, and then comes back. A process of its
// own, so that its memory is its own: `node --expose-gc main.mjs <database> <log> <budget in MiB>`. Says on
// stdout, as JSON, what it accepted and how much memory it held.
import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { postgresLog } from '@aura/event-log';
import { silentLogger, systemClock, TransientError } from '@aura/platform';
import { DataSource } from 'typeorm';
import type { Pool } from 'pg';
import { OutboxBudget, OutboxFullError } from '../src/outbox/budget.js';
import { Relay } from '../src/outbox/relay.js';
import { UnitsOfWork } from '../src/unit-of-work/units-of-work.js';
import { Entry, ledger, MemoryRegistry, withAppend } from './outbox-kit.js';

export interface BacklogReport {
  readonly accepted: number;
  readonly refused: number;
  /** By the budget's estimate, when it was full. */
  readonly waitingBytes: number;
  readonly waitingRows: number;
  /** Bytes that are reachable: before the load, when the budget was full, and at most while it drained. */
  readonly heap: { readonly before: number; readonly full: number; readonly draining: number };
}

const MIB = 1024 ** 2;
const KEYS = 16;
const WRITERS = 8;
const EVENTS = 20;

const [databaseUrl = '', logUrl = '', mib = ''] = process.argv.slice(2);

/** What is left when buffers whose owners went in one collection have gone in the next, too. */
async function reachableBytes(): Promise<number> {
  for (let round = 0; round < 3; round++) {
    (globalThis as { gc?: () => void }).gc?.();
    await setImmediate();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const dataSource = await new DataSource({
  type: 'postgres',
  url: databaseUrl,
  poolSize: 12,
  installExtensions: false,
}).initialize();
const pool = (dataSource.driver as unknown as { master: Pool }).master;
const log = postgresLog({ url: logUrl });
let away = true;
const unreliable = withAppend(log, (records) =>
  away ? Promise.reject(new TransientError('the log is away')) : log.append(records),
);
const budget = new OutboxBudget({
  service: 'ledger',
  pool,
  logger: silentLogger,
  limits: { maxBytes: Number(mib) * MIB },
  refreshMs: 100,
});
const relay = new Relay({
  connection: { connectionString: databaseUrl },
  db: pool,
  log: unreliable,
  registry: new MemoryRegistry(),
  source: 'ledger',
  logger: silentLogger,
  limits: {
    readRows: 200,
    readBytes: MIB,
    batchRows: 200,
    batchBytes: MIB,
    waitingRows: 1_000,
    waitingBytes: 2 * MIB,
    backoff: { initialMs: 50, maxMs: 500 },
  },
});
const units = new UnitsOfWork({
  dataSource,
  contracts: ledger,
  clock: systemClock,
  onCommitted: () => {
    budget.raised();
    relay.nudge();
  },
  admit: () => budget.admit(),
});

let accepted = 0;
let refused = 0;

/** One request: the account's serials and their events, or nothing of it. */
function request(): Promise<void> {
  return units.run(async (work) => {
    const account = `k${Math.floor(Math.random() * KEYS)}`;
    const [rows] = (await work.manager.query(
      'update account set serial = serial + $2 where key = $1 returning serial',
      [account, EVENTS],
    )) as [{ serial: string }[], number];
    const last = BigInt(rows[0]?.serial ?? 0);
    for (let n = EVENTS - 1; n >= 0; n--)
      work.raise(Entry.of({ account, serial: last - BigInt(n), note: randomBytes(700).toString('hex') }));
  });
}

async function writer(): Promise<void> {
  for (;;)
    try {
      await request();
      accepted += EVENTS;
    } catch (error) {
      if (!(error instanceof OutboxFullError)) throw error;
      refused++;
      return;
    }
}

await relay.start();
budget.start();
await request();
accepted += EVENTS;
const before = await reachableBytes();
await Promise.all(Array.from({ length: WRITERS }, writer));
const { waiting } = await budget.measure();
const full = await reachableBytes();

away = false;
let draining = 0;
while ((await budget.measure()).waiting.rows > 0) {
  draining = Math.max(draining, await reachableBytes());
  await sleep(50);
}
await request();
accepted += EVENTS;
while ((await budget.measure()).waiting.rows > 0) await sleep(50);

const report: BacklogReport = {
  accepted,
  refused,
  waitingBytes: waiting.bytes,
  waitingRows: waiting.rows,
  heap: { before, full, draining },
};
process.stdout.write(JSON.stringify(report));
await budget.stop();
await relay.stop();
await log.close();
await dataSource.destroy();
