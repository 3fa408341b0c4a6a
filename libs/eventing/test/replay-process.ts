// A replay of a long history, in a process of its own, so that its memory is its own:
// `node --expose-gc main.mjs <database> <topic> <events> [<brokers>]`; without brokers into a Postgres log in
// the database, which must be empty. Says on stdout, as JSON, how fast it was and how much memory it held.
import 'reflect-metadata';
import { setImmediate } from 'node:timers/promises';
import { kafkaLog, postgresLog } from '@aura/event-log';
import { silentLogger, systemClock, withClient } from '@aura/platform';
import { DataSource } from 'typeorm';
import type { Pool } from 'pg';
import { migrate } from '../src/migrations/migrate.js';
import { OutboxDays } from '../src/outbox/days.js';
import { keepSchemas } from '../src/outbox/relay-store.js';
import { OutboxReplay } from '../src/replay/replay-operations.js';
import { replayTasks } from '../src/replay/replay-task.js';
import { TaskRunner } from '../src/tasks/task-runner.js';
import { entryRow, ledger, MemoryRegistry, withAppend } from './outbox-kit.js';

export interface ReplayReport {
  readonly events: number;
  readonly seconds: number;
  readonly perSecond: number;
  /** Of this process: what is left of it on a machine that does something else. */
  readonly cpuSeconds: number;
  readonly countSeconds: number;
  readonly appends: number;
  /** Bytes that are reachable, each time another quarter had been published. */
  readonly heap: readonly number[];
}

const NOTE_BYTES = 1_000;
const KEYS = 1_000;

const [databaseUrl = '', topic = '', events = '0', brokers] = process.argv.slice(2);
const wanted = Number(events);

const dataSource = await new DataSource({
  type: 'postgres',
  url: databaseUrl,
  poolSize: 4,
  installExtensions: false,
}).initialize();
const pool = (dataSource.driver as unknown as { master: Pool }).master;
const log = brokers
  ? kafkaLog({ brokers: brokers.split(','), clientId: 'replay', logger: silentLogger })
  : postgresLog({ url: databaseUrl });

/** As if the relay had published them, long ago. */
async function fillOutbox(): Promise<void> {
  await withClient(pool, migrate);
  const days = new OutboxDays({ pool, logger: silentLogger, daysAhead: 1 });
  await days.start();
  await days.stop();
  await keepSchemas(pool, ledger.definitions());
  const { type, fingerprint, body } = entryRow('k', 1, 'x'.repeat(NOTE_BYTES), topic);
  await pool.query(
    `insert into aura.outbox (event_id, topic, key, type, schema_fingerprint, body, headers)
     select uuidv7(), $1, 'k' || n % ${KEYS}, $2, $3, $4, '{}' from generate_series(1, $5::int) as n`,
    [topic, type, Buffer.from(fingerprint, 'hex'), body, wanted],
  );
  await pool.query(
    `insert into aura.relay_cursor (position, cluster) select max(position), 'another' from aura.outbox`,
  );
}

/** What is left when buffers whose owners went in one collection have gone in the next, too. */
async function reachableBytes(): Promise<number> {
  for (let round = 0; round < 3; round++) {
    (globalThis as { gc?: () => void }).gc?.();
    await setImmediate();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const seconds = (sinceMs: number): number => Math.round(performance.now() - sinceMs) / 1_000;

await fillOutbox();
await log.createTopics([{ name: topic, partitions: 12 }]);
const units = { dataSource, contracts: ledger, clock: systemClock, onCommitted: () => undefined };
const replay = new OutboxReplay({ pool, units, log });
const countedMs = performance.now();
const change = { reason: 'to measure it', by: 'test', dryRun: false };
const { id } = await replay.start({}, undefined, change);
const countSeconds = seconds(countedMs);

const heap: number[] = [];
let published = 0;
let appends = 0;
const watched = withAppend(log, async (records, options) => {
  const result = await log.append(records, options);
  appends++;
  const quarter = Math.floor((4 * published) / wanted);
  published += records.length;
  if (Math.floor((4 * published) / wanted) > quarter) heap.push(await reachableBytes());
  return result;
});
const registry = new MemoryRegistry();
const tasks = replayTasks({ pool, log: watched, registry, units, source: 'ledger', logger: silentLogger });
const runner = new TaskRunner({ handlers: [tasks], units, pool, logger: silentLogger });
const begunMs = performance.now();
const cpu = process.cpuUsage();
await runner.runOnce();
const took = seconds(begunMs);
const { user, system } = process.cpuUsage(cpu);
const job = await replay.find(id);
if (job?.state !== 'done' || job.published !== wanted)
  throw new Error(`not done: ${JSON.stringify(job?.state)}`);

const report: ReplayReport = {
  events: wanted,
  seconds: took,
  perSecond: Math.round(wanted / took),
  cpuSeconds: (user + system) / 1e6,
  countSeconds,
  appends,
  heap,
};
console.log(JSON.stringify(report));
await log.close();
await dataSource.destroy();
