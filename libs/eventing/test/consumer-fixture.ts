import { randomBytes } from 'node:crypto';
import {
  Contracts,
  cloudEventHeaders,
  defineEvent,
  frame,
  newEventId,
  type EventType,
} from '@aura/contracts';
import { kafkaLog, postgresLog, type EventLog, type NewRecord } from '@aura/event-log';
import { silentLogger } from '@aura/platform';
import { testDatabase } from '@aura/testing';
import { Consumer, type ConsumerOptions } from '../src/consumer/consumer.js';
import { Handlers, type EventHandler, type SetHandler } from '../src/consumer/handlers.js';
import type { UnitOfWorkContext } from '../src/unit-of-work/unit-of-work.js';
import type { Work } from '../src/unit-of-work/work.js';
import { serviceFixture, type Counted, type ServiceFixture } from './service-fixture.js';

export interface TestLog {
  readonly log: EventLog;
  close(): Promise<void>;
}

async function openPostgres(): Promise<TestLog> {
  const database = await testDatabase('log');
  const log = postgresLog({ url: database.url });
  return {
    log,
    async close() {
      await log.close();
      await database.drop();
    },
  };
}

function openKafka(): Promise<TestLog> {
  const brokers = (process.env['KAFKA_BROKERS'] ?? '').split(',');
  const log = kafkaLog({ brokers, clientId: 'eventing-spec', logger: silentLogger });
  return Promise.resolve({ log, close: () => log.close() });
}

/** Both logs; Kafka only where there is a broker, and said aloud where there is none. */
export function testLogs(): { kind: string; open: () => Promise<TestLog> }[] {
  const postgres = { kind: 'postgres', open: openPostgres };
  if (process.env['KAFKA_BROKERS']) return [postgres, { kind: 'kafka', open: openKafka }];
  console.warn('SKIPPED: the consumer over Kafka, because KAFKA_BROKERS is not set');
  return [postgres];
}

export interface EventToPublish {
  readonly key: string;
  /** Left out: a `Closed`. */
  readonly n?: number;
  readonly id?: string;
  /** On top of those of an event. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly value?: Buffer;
}

/** Event types, topic and group of one test's own, so that tests may share a broker. */
export class SpecEvents {
  readonly service = `spec_${randomBytes(6).toString('hex')}`;
  readonly group = `shop_${randomBytes(6).toString('hex')}`;
  readonly counted: EventType<Counted> = defineEvent<Counted>({
    service: this.service,
    version: 1,
    keyField: 'key',
    schema: record('Counted', [
      { name: 'key', type: 'string' },
      { name: 'n', type: 'int' },
    ]),
  });
  readonly closed: EventType<{ readonly key: string }> = defineEvent<{ readonly key: string }>({
    service: this.service,
    version: 1,
    keyField: 'key',
    schema: record('Closed', [{ name: 'key', type: 'string' }]),
  });
  readonly topic = this.counted.topic;
  readonly contracts = new Contracts({
    publishes: [this.counted, this.closed],
    subscribes: [this.counted, this.closed],
  });
  /** Schema 1 is Counted's, 2 is Closed's. */
  readonly registry = {
    schemaById: (id: number) => Promise.resolve(id === 1 ? this.counted.schema : this.closed.schema),
  };

  /** The record that a relay would append. */
  record(event: EventToPublish): NewRecord {
    const { key, n } = event;
    const encoded = this.contracts.encode(
      n === undefined ? this.closed.of({ key }) : this.counted.of({ key, n }),
    );
    const headers = cloudEventHeaders({
      id: event.id ?? newEventId(new Date()),
      type: encoded.type,
      source: this.service,
      key,
      time: new Date(),
      sequence: 1n,
      fingerprint: encoded.fingerprint,
      carried: {},
    });
    const value = event.value ?? frame(n === undefined ? 2 : 1, encoded.body);
    return { topic: this.topic, key, value, headers: { ...headers, ...event.headers } };
  }

  /** Writes each event into the ledger, unless `before` throws. */
  noting(before: (event: Counted, work: Work) => unknown = () => undefined): EventHandler {
    return {
      mode: 'each',
      type: this.counted,
      name: 'Ledger.note',
      async handle(event, work) {
        const { key, n } = event.payload as Counted;
        await before({ key, n }, work);
        await work.manager.query('insert into ledger (key, n, event_id) values ($1, $2, $3)', [
          key,
          n,
          event.id,
        ]);
      },
    };
  }

  /** The same for a whole run. */
  notingSets(before: (n: number) => void = () => undefined): SetHandler {
    return {
      mode: 'set',
      type: this.counted,
      name: 'Ledger.noteAll',
      async handle(events, work) {
        const counted = events.map((event) => event.payload as Counted);
        for (const { n } of counted) before(n);
        await work.manager.query(
          `insert into ledger (key, n, event_id)
           select key, n, id
             from unnest($1::text[], $2::int[], $3::uuid[]) with ordinality as e(key, n, id, i)
            order by i`,
          [counted.map(({ key }) => key), counted.map(({ n }) => n), events.map(({ id }) => id)],
        );
      },
    };
  }
}

function record(name: string, fields: { name: string; type: string }[]): { type: 'record' } {
  return { type: 'record', name, namespace: 'spec', fields } as { type: 'record' };
}

/** The ledger of effects: what the handlers wrote, in order. */
const LEDGER = `create table ledger (
  seq bigint generated always as identity, key text not null, n int not null, event_id uuid not null)`;

/** The database of one spec file. */
export function ledgerService(): Promise<ServiceFixture> {
  return serviceFixture({ sql: LEDGER });
}

export interface ConsumerFixture extends Pick<ServiceFixture, 'pool' | 'rows' | 'database'> {
  readonly events: SpecEvents;
  readonly units: UnitOfWorkContext;
  /** A member of the group on this database; any number of them. Stopped by `stop`. */
  consumer(log: EventLog, handlers: readonly EventHandler[], options?: Partial<ConsumerOptions>): Consumer;
  /** `key:n` of the ledger, in the order of writing. */
  ledger(): Promise<string[]>;
  /** Next offset of each partition, from the service's database. */
  offsets(): Promise<Record<number, number>>;
  /** Everything as at the start: for tests that go round. */
  empty(): Promise<void>;
  stop(): Promise<void>;
}

/** One test's own events, topic and group, on an emptied database. */
export async function consumerFixture(service: ServiceFixture): Promise<ConsumerFixture> {
  const events = new SpecEvents();
  const { contracts, group, registry } = events;
  const units = { ...service.units.context, contracts };
  const running: Consumer[] = [];
  const empty = async (): Promise<void> => {
    await service.pool.query(
      `truncate ledger, aura.inbox, aura.outbox, aura.letter, aura.parked_key, aura.letter_count, aura.task,
         aura.consumer_offset`,
    );
  };
  await empty();
  return {
    pool: service.pool,
    rows: (sql, values) => service.rows(sql, values),
    database: service.database,
    events,
    units,
    empty,
    consumer(log, handlers, options) {
      const consumer = new Consumer({
        group,
        log,
        registry,
        contracts,
        handlers: new Handlers(handlers),
        units,
        logger: silentLogger,
        limits: { initialBackoffMs: 5, maxBackoffMs: 50 },
        ...options,
      });
      running.push(consumer);
      return consumer;
    },
    async ledger() {
      const rows = await service.rows<{ key: string; n: number }>('select key, n from ledger order by seq');
      return rows.map(({ key, n }) => `${key}:${n}`);
    },
    async offsets() {
      const rows = await service.rows<{ partition: number; next_offset: string }>(
        'select partition, next_offset from aura.consumer_offset order by partition',
      );
      return Object.fromEntries(rows.map((row) => [row.partition, Number(row.next_offset)]));
    },
    async stop() {
      await Promise.all(running.map((consumer) => consumer.stop()));
    },
  };
}

/** The part of a ledger that belongs to each key, in order. */
export function byKey(ledger: readonly string[]): Record<string, number[]> {
  const keys: Record<string, number[]> = {};
  for (const entry of ledger) {
    const [key = '', n] = entry.split(':');
    (keys[key] ??= []).push(Number(n));
  }
  return keys;
}
