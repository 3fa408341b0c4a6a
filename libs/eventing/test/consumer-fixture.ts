import {
  Contracts,
  cloudEventHeaders,
  defineEvent,
  frame,
  newEventId,
  type EventType,
} from '@aura/contracts';
import {
  partitionOf,
  postgresLog,
  type EventLog,
  type NewRecord,
  type TopicPartition,
} from '@aura/event-log';
import { silentLogger } from '@aura/platform';
import { testDatabase } from '@aura/testing';
import { Consumer, Handlers, type ConsumerOptions, type EventHandler } from '../src/index.js';
import { Counted, serviceFixture, type ServiceFixture } from './service-fixture.js';

/** A second type of the same topic and keys. */
export const Closed: EventType<{ readonly key: string }> = defineEvent<{ readonly key: string }>({
  service: 'spec',
  version: 1,
  keyField: 'key',
  schema: {
    type: 'record',
    name: 'Closed',
    namespace: 'spec',
    doc: 'Nothing comes after it.',
    fields: [{ name: 'key', type: 'string' }],
  },
});

export interface TestLog {
  readonly log: EventLog;
  close(): Promise<void>;
}

export async function postgresTestLog(): Promise<TestLog> {
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

const contracts = new Contracts({ publishes: [Counted, Closed], subscribes: [Counted, Closed] });

/** Schema 1 is Counted's, 2 is Closed's. */
export const registry = {
  schemaById: (id: number) => Promise.resolve(id === 1 ? Counted.schema : Closed.schema),
};

export interface EventToPublish {
  readonly key: string;
  readonly n?: number;
  readonly id?: string;
  readonly type?: EventType;
  readonly headers?: Readonly<Record<string, string>>;
  readonly value?: Buffer;
}

/** The record that a relay would append for an event. */
export function recordOf(topic: string, event: EventToPublish): NewRecord {
  const type = event.type ?? (event.n === undefined ? Closed : Counted);
  const payload = event.n === undefined ? { key: event.key } : { key: event.key, n: event.n };
  const encoded = contracts.encode(type.of(payload));
  const headers = cloudEventHeaders({
    id: event.id ?? newEventId(new Date()),
    type: encoded.type,
    source: 'spec',
    key: encoded.key,
    time: new Date(),
    sequence: 1n,
    fingerprint: encoded.fingerprint,
    carried: {},
  });
  const value = event.value ?? frame(type.name === Counted.name ? 1 : 2, encoded.body);
  return { topic, key: event.key, value, headers: { ...headers, ...event.headers } };
}

/** The ledger of effects: what each handler call wrote, in order. */
export const LEDGER = `create table ledger (
  seq bigint generated always as identity, key text not null, n int not null, event_id uuid not null)`;

export interface ConsumerFixture extends ServiceFixture {
  readonly log: EventLog;
  readonly topic: string;
  publish(events: readonly EventToPublish[]): Promise<void>;
  consumer(handlers: readonly EventHandler[], options?: Partial<ConsumerOptions>): Consumer;
  /** `key:n` of the ledger, in the order of writing. */
  ledger(): Promise<string[]>;
  /** Next offset of each partition, from the service's database. */
  offsets(): Promise<Record<number, number>>;
}

/** A service's database, a topic of its own on a real log, and consumers of it. */
export async function consumerFixture(log: EventLog, partitions = 3): Promise<ConsumerFixture> {
  const service = await serviceFixture({ sql: LEDGER, context: { contracts } });
  const topic = Counted.topic;
  await log.createTopics([{ name: topic, partitions }]);
  return {
    ...service,
    log,
    topic,
    async publish(events) {
      const { failed } = await log.append(events.map((event) => recordOf(topic, event)));
      if (failed.length > 0) throw failed[0]?.error as Error;
    },
    consumer: (handlers, options) =>
      new Consumer({
        group: 'shop',
        log,
        registry,
        contracts,
        handlers: new Handlers(handlers),
        units: service.units.context,
        logger: silentLogger,
        limits: { initialBackoffMs: 5, maxBackoffMs: 50 },
        ...options,
      }),
    ledger: async () =>
      (await service.rows<{ key: string; n: number }>('select key, n from ledger order by seq')).map(
        ({ key, n }) => `${key}:${n}`,
      ),
    async offsets() {
      const rows = await service.rows<{ partition: number; next_offset: string }>(
        'select partition, next_offset from aura.consumer_offset order by partition',
      );
      return Object.fromEntries(rows.map((row) => [row.partition, Number(row.next_offset)]));
    },
  };
}

/** Writes the event into the ledger, unless `before` throws. */
export function noting(before: (n: number, key: string) => void = () => undefined): EventHandler {
  return {
    mode: 'each',
    type: Counted,
    name: 'Ledger.note',
    async handle(event, work) {
      const { n } = event.payload as Counted;
      before(n, event.key);
      await work.manager.query('insert into ledger (key, n, event_id) values ($1, $2, $3)', [
        event.key,
        n,
        event.id,
      ]);
    },
  };
}

/** The same for a whole run. */
export function notingSets(): EventHandler {
  return {
    mode: 'set',
    type: Counted,
    name: 'Ledger.noteAll',
    async handle(events, work) {
      await work.manager.query(
        `insert into ledger (key, n, event_id)
         select key, n, id from unnest($1::text[], $2::int[], $3::uuid[]) with ordinality as e(key, n, id, i) order by i`,
        [
          events.map((event) => event.key),
          events.map((event) => (event.payload as Counted).n),
          events.map((event) => event.id),
        ],
      );
    },
  };
}

export const partition = (topic: string, key: string, count: number): TopicPartition => ({
  topic,
  partition: partitionOf(key, count),
});
