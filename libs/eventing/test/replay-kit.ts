import { newEventId, type EventEnvelope } from '@aura/contracts';
import type { EventLog, LogRecord } from '@aura/event-log';
import { silentLogger, systemClock } from '@aura/platform';
import { settled, testDatabase, type TestDatabase } from '@aura/testing';
import { Pool } from 'pg';
import { DataSource } from 'typeorm';
import { Consumer } from '../src/consumer/consumer.js';
import { ServiceGroup } from '../src/consumer/group-operations.js';
import { Handlers } from '../src/consumer/handlers.js';
import { migrate } from '../src/migrations/migrate.js';
import type { Change, ReplayJob, ReplaySelection } from '../src/operations/operations.js';
import { OutboxReplay } from '../src/replay/replay-operations.js';
import type { ReplayLimits } from '../src/replay/replay-run.js';
import { replayTasks } from '../src/replay/replay-task.js';
import { TaskRunner } from '../src/tasks/task-runner.js';
import type { Work } from '../src/unit-of-work/work.js';
import type { UnitOfWorkContext } from '../src/unit-of-work/unit-of-work.js';
import { Entry, entryRow, ledger, OutboxKit, withAppend } from './outbox-kit.js';

export const BY_TEST: Change = { reason: 'a test wants it', by: 'test', dryRun: false };

/** An outbox with a relay, and what replays it. */
export class ReplayKit {
  readonly #runners: TaskRunner[] = [];
  readonly #readers: Reader[] = [];

  private constructor(
    readonly outbox: OutboxKit,
    readonly dataSource: DataSource,
    readonly units: UnitOfWorkContext,
    readonly replay: OutboxReplay,
  ) {}

  static async make(label: string, log?: EventLog, topic?: string): Promise<ReplayKit> {
    const outbox = await OutboxKit.make(label, log, topic);
    const dataSource = await new DataSource({
      type: 'postgres',
      url: outbox.database.url,
      installExtensions: false,
      poolErrorHandler: () => undefined,
    }).initialize();
    const units = { dataSource, contracts: ledger, clock: systemClock, onCommitted: () => undefined };
    const replay = new OutboxReplay({ pool: outbox.pool, units, log: outbox.log });
    return new ReplayKit(outbox, dataSource, units, replay);
  }

  /** `accounts` x `serials` events, in order of serial, published by the relay. */
  async publish(accounts: readonly string[], serials: readonly number[]): Promise<void> {
    for (const serial of serials)
      await this.outbox.raise(...accounts.map((account) => entryRow(account, serial, '', this.outbox.topic)));
    await this.relayAll();
  }

  async relayAll(): Promise<void> {
    const relay = this.outbox.relay();
    await relay.runOnce();
    await relay.stop();
  }

  start(selection: ReplaySelection, perSecond?: number): Promise<ReplayJob> {
    return this.replay.start(selection, perSecond, BY_TEST);
  }

  /** What runs jobs, in a process of its own as far as the database knows. */
  runner(options: { log?: EventLog; units?: UnitOfWorkContext; pool?: Pool } & Partial<ReplayLimits> = {}) {
    const { log = this.outbox.log, units = this.units, pool = this.outbox.pool, ...limits } = options;
    const { registry } = this.outbox;
    const tasks = replayTasks({ pool, log, registry, units, source: 'ledger', logger: silentLogger, limits });
    const runner = new TaskRunner({ handlers: [tasks], units, pool, logger: silentLogger });
    this.#runners.push(runner);
    return runner;
  }

  async replayed(selection: ReplaySelection): Promise<ReplayJob> {
    const { id } = await this.start(selection);
    await this.runner().runOnce();
    return this.job(id);
  }

  async job(id: string): Promise<ReplayJob> {
    const job = await this.replay.find(id);
    if (!job) throw new Error(`no job ${id}`);
    return job;
  }

  /** Records of the topic that a replay has published; of one job, where it is named. */
  async labelled(id?: string): Promise<LogRecord[]> {
    const records = await this.outbox.published();
    return records.filter(({ headers: { replayid } }) => replayid !== undefined && (!id || replayid === id));
  }

  async reader(name: string): Promise<Reader> {
    const reader = await Reader.open(name, this.outbox);
    this.#readers.push(reader);
    return reader;
  }

  async drop(): Promise<void> {
    await Promise.all(this.#readers.map((reader) => reader.close()));
    await Promise.all(this.#runners.map((runner) => runner.stop()));
    await this.dataSource.destroy();
    await this.outbox.drop();
  }
}

/** A service that reads the ledger, with a database of its own. */
export class Reader {
  #consumer: Consumer | undefined;

  private constructor(
    readonly group: string,
    private readonly kit: OutboxKit,
    private readonly database: TestDatabase,
    readonly pool: Pool,
    private readonly dataSource: DataSource,
  ) {}

  static async open(name: string, kit: OutboxKit): Promise<Reader> {
    const database = await testDatabase(name);
    const pool = new Pool({ connectionString: database.url, max: 4 });
    pool.on('error', () => undefined);
    const client = await pool.connect();
    await migrate(client);
    client.release();
    await pool.query('create table applied (no serial, account text, serial bigint)');
    const dataSource = await new DataSource({
      type: 'postgres',
      url: database.url,
      installExtensions: false,
      poolErrorHandler: () => undefined,
    }).initialize();
    return new Reader(`${name}-${newEventId(new Date())}`, kit, database, pool, dataSource);
  }

  async start(): Promise<void> {
    const { registry, topic } = this.kit;
    // The type names its topic; where the log is shared, each test has one of its own.
    const log: EventLog = {
      ...withAppend(this.kit.log, (records) => this.kit.log.append(records)),
      subscribe: (options) => this.kit.log.subscribe({ ...options, topics: [topic] }),
    };
    const type = { ...Entry, topic };
    const handlers = new Handlers([{ mode: 'each', type, name: 'Reader.entry', handle }]);
    const units = { dataSource: this.dataSource, contracts: ledger, clock: systemClock, onCommitted() {} };
    const options = { group: this.group, log, registry, contracts: ledger, handlers, units };
    this.#consumer = new Consumer({ ...options, logger: silentLogger });
    await this.#consumer.start();
  }

  async stop(): Promise<void> {
    await this.#consumer?.stop();
  }

  /** Back to the first record that the topic has. Not while it reads. */
  async moveToFirst(): Promise<void> {
    const { topic, log } = this.kit;
    const units = { dataSource: this.dataSource, contracts: ledger, clock: systemClock, onCommitted() {} };
    const options = { group: this.group, topics: [topic], units, log, consumer: () => undefined };
    await new ServiceGroup(options).move({ topic }, { to: 'first' }, BY_TEST);
  }

  /** Resolves when all that is in the topic now has been read. */
  async caughtUp(): Promise<void> {
    const bounds = await this.kit.log.bounds(this.kit.topic);
    const ends = bounds.filter(({ first, end }) => end > first);
    await settled(`${this.group} has read everything`, async () => {
      const { rows } = await this.pool.query<{ partition: number; next_offset: string }>(
        'select partition, next_offset from aura.consumer_offset where consumer_group = $1',
        [this.group],
      );
      const at = new Map(rows.map((row) => [row.partition, BigInt(row.next_offset)]));
      return ends.every(({ partition, end }) => (at.get(partition) ?? 0n) >= end);
    });
  }

  /** Serials by account, in the order in which they were applied. */
  async applied(): Promise<Record<string, number[]>> {
    const { rows } = await this.pool.query<{ account: string; serial: string }>(
      'select account, serial from applied order by no',
    );
    const found: Record<string, number[]> = {};
    for (const { account, serial } of rows) (found[account] ??= []).push(Number(serial));
    return found;
  }

  async close(): Promise<void> {
    await this.stop();
    await this.dataSource.destroy();
    await this.pool.end();
    await this.database.drop();
  }
}

/** Writes down what it was given. */
async function handle({ payload }: EventEnvelope, work: Pick<Work, 'manager'>): Promise<void> {
  const { account, serial } = payload as { account: string; serial: bigint };
  await work.manager.query('insert into applied (account, serial) values ($1, $2)', [
    account,
    String(serial),
  ]);
}
