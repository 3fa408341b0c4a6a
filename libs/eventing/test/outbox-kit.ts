import { defineEvent, Contracts, newEventId, type AvroSchema, type SchemaRegistry } from '@aura/contracts';
import { postgresLog, type EventLog, type LogRecord } from '@aura/event-log';
import { silentLogger } from '@aura/platform';
import { settled, testDatabase, type TestDatabase } from '@aura/testing';
import { Pool } from 'pg';
import { migrate } from '../src/migrations/migrate.js';
import { OutboxDays } from '../src/outbox/days.js';
import { insertOutboxRows, type OutboxRow } from '../src/outbox/outbox.js';
import { Relay, type RelayOptions } from '../src/outbox/relay.js';
import { keepSchemas } from '../src/outbox/relay-store.js';

export const TOPIC = 'ledger.events';

/** One event type of a made-up service: who wrote what, in which order. */
export const Entry = defineEvent<{ account: string; serial: bigint; note: string }>({
  service: 'ledger',
  version: 1,
  keyField: 'account',
  schema: {
    type: 'record',
    name: 'Entry',
    namespace: 'ledger',
    fields: [
      { name: 'account', type: 'string' },
      { name: 'serial', type: 'long' },
      { name: 'note', type: 'string' },
    ],
  },
});

export const ledger = new Contracts({ publishes: [Entry], subscribes: [Entry] });

/** A registry in memory: ids count up from `firstId`. */
export class MemoryRegistry implements SchemaRegistry {
  readonly #schemas = new Map<number, string>();
  registrations = 0;
  away: Error | undefined;

  constructor(private readonly firstId = 1) {}

  register(_subject: string, schema: AvroSchema): Promise<number> {
    this.registrations++;
    if (this.away) return Promise.reject(this.away);
    const text = JSON.stringify(schema);
    for (const [id, known] of this.#schemas) if (known === text) return Promise.resolve(id);
    const id = this.firstId + this.#schemas.size;
    this.#schemas.set(id, text);
    return Promise.resolve(id);
  }

  schemaById(id: number): Promise<AvroSchema> {
    const text = this.#schemas.get(id);
    return text === undefined ? Promise.reject(new Error(`no id ${id}`)) : Promise.resolve(JSON.parse(text));
  }

  ping(): Promise<void> {
    return this.away ? Promise.reject(this.away) : Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

export function entryRow(account: string, serial: number | bigint, note = '', topic = TOPIC): OutboxRow {
  const { type, key, fingerprint, body } = ledger.encode(Entry.of({ account, serial: BigInt(serial), note }));
  return { eventId: newEventId(new Date()), topic, key, type, fingerprint, body, headers: {} };
}

/** `log` with another `append`; everything else is its own. */
export function withAppend(log: EventLog, append: EventLog['append']): EventLog {
  return {
    kind: log.kind,
    append,
    subscribe: (options) => log.subscribe(options),
    createTopics: (topics) => log.createTopics(topics),
    describe: (names) => log.describe(names),
    bounds: (topic) => log.bounds(topic),
    offsetsAt: (topic, time) => log.offsetsAt(topic, time),
    scan: (topic, partition, from, to) => log.scan(topic, partition, from, to),
    groupOffsets: (group, topic) => log.groupOffsets(group, topic),
    settings: (topic) => log.settings(topic),
    ping: (timeoutMs) => log.ping(timeoutMs),
    close: () => log.close(),
  };
}

/**
 * A migrated database with its partitions and schemas, a log beside it, and relays that are stopped with it.
 */
export class OutboxKit {
  readonly registry = new MemoryRegistry();
  readonly #relays: Relay[] = [];

  private constructor(
    readonly database: TestDatabase,
    readonly pool: Pool,
    readonly log: EventLog,
    readonly topic: string,
  ) {}

  /**
   * `log`: a Postgres log in the same database, unless one is given; `topic`: its own where the log is
   * shared.
   */
  static async make(label: string, log?: EventLog, topic = TOPIC): Promise<OutboxKit> {
    const database = await testDatabase(label);
    const pool = new Pool({ connectionString: database.url, max: 4 });
    pool.on('error', () => undefined); // `drop` ends them from the other side
    const client = await pool.connect();
    await migrate(client);
    client.release();
    await makeDays(pool);
    await keepSchemas(pool, ledger.definitions());
    const kit = new OutboxKit(database, pool, log ?? postgresLog({ url: database.url }), topic);
    await kit.log.createTopics([{ name: topic, partitions: 4 }]);
    return kit;
  }

  relay(options: Partial<RelayOptions> = {}): Relay {
    const relay = new Relay({
      connection: { connectionString: this.database.url },
      db: this.pool,
      log: this.log,
      registry: this.registry,
      source: 'ledger',
      topics: [this.topic],
      logger: silentLogger,
      ...options,
    });
    this.#relays.push(relay);
    return relay;
  }

  /** In one transaction. */
  async raise(...rows: OutboxRow[]): Promise<void> {
    await insertOutboxRows(this.pool, rows);
  }

  async cursor(): Promise<{ position: bigint; gaps: string[][]; pending: string[] }> {
    const { rows } = await this.pool.query('select position, gaps, pending from aura.relay_cursor');
    const { position, gaps, pending } = rows[0] as { position: string; gaps: string[][]; pending: string[] };
    return { position: BigInt(position), gaps, pending };
  }

  /** Everything in the topic, partition by partition; a new one can be read only after a moment. */
  published(log: EventLog = this.log, topic = this.topic): Promise<LogRecord[]> {
    return settled(`${topic} can be read`, async () => {
      const records: LogRecord[] = [];
      for (const { partition, first, end } of await log.bounds(topic))
        for await (const record of log.scan(topic, partition, first, end)) records.push(record);
      return records;
    });
  }

  async drop(): Promise<void> {
    await Promise.all(this.#relays.map((relay) => relay.stop()));
    await this.log.close();
    await this.pool.end();
    await this.database.drop();
  }
}

async function makeDays(pool: Pool): Promise<void> {
  const days = new OutboxDays({ pool, logger: silentLogger, daysAhead: 2 });
  await days.start();
  await days.stop();
}
