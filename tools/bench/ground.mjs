// What every bench of the event path stands on: databases, a log, one small event type, rows and records.
import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { libraries, packageOf } from './libraries.mjs';

const PARTITIONS = 12;
const KEYS = 1_000;
const APPEND = 500;

/** Two texts of fixed width, so that SQL can write the Avro body: the key, and the serial. */
export function entryType({ defineEvent }, service) {
  return defineEvent({
    service,
    version: 1,
    keyField: 'key',
    schema: {
      type: 'record',
      name: 'Entry',
      namespace: service,
      fields: [
        { name: 'key', type: 'string' },
        { name: 'serial', type: 'string' },
      ],
    },
  });
}

export const keyOf = (n) => `k${String(n % KEYS).padStart(4, '0')}`;
export const serialOf = (n) => String(n).padStart(8, '0');

/** One schema, one id. */
export const registryOf = (type) => ({
  register: () => Promise.resolve(1),
  schemaById: () => Promise.resolve(type.schema),
  ping: () => Promise.resolve(),
  close: () => Promise.resolve(),
});

/** An empty database of a bench's own. */
export async function makeDatabase(adminUrl) {
  const name = `bench_${randomBytes(6).toString('hex')}`;
  const admin = async (sql) => {
    const client = new Client({ connectionString: adminUrl });
    await client.connect();
    await client.query(sql).finally(() => client.end());
  };
  await admin(`create database ${name}`);
  const url = new URL(adminUrl);
  url.pathname = `/${name}`;
  return { name, url: url.href, drop: () => admin(`drop database if exists ${name} with (force)`) };
}

/** How a process opens the log: JSON, so that other processes can be told. */
export async function makeLog({ adminUrl, brokers }) {
  if (brokers) return { settings: { brokers }, drop: () => Promise.resolve() };
  const database = await makeDatabase(adminUrl);
  return { settings: { url: database.url }, database, drop: () => database.drop() };
}

export function openLog({ kafkaLog, postgresLog, silentLogger: logger }, { brokers, url }) {
  return brokers ? kafkaLog({ brokers, clientId: 'bench', logger }) : postgresLog({ url });
}

/** A migrated database of a service with its table of effects. */
export async function makeService(libs, adminUrl) {
  const database = await makeDatabase(adminUrl);
  const { DataSource } = packageOf('eventing', 'typeorm');
  const dataSource = await new DataSource({
    type: 'postgres',
    url: database.url,
    poolSize: 10,
    installExtensions: false,
    poolErrorHandler: () => undefined,
  }).initialize();
  const pool = dataSource.driver.master;
  const client = await pool.connect();
  await libs.migrate(client);
  client.release();
  const days = new libs.OutboxDays({ pool, logger: libs.silentLogger });
  await days.start();
  await days.stop();
  await pool.query(
    `create table effect (
       id bigint generated always as identity primary key, event_id uuid not null, serial text not null)`,
  );
  const drop = async () => {
    await dataSource.destroy();
    await database.drop();
  };
  return { url: database.url, database, dataSource, pool, drop };
}

/** Libraries, a log with one topic, and a service: what relay and consume begin with. */
export async function ground(servers) {
  const libs = await libraries();
  const name = `bench_${randomBytes(4).toString('hex')}`;
  const type = entryType(libs, name);
  const made = await makeLog(servers);
  const log = openLog(libs, made.settings);
  await log.createTopics([{ name: type.topic, partitions: PARTITIONS }]);
  const service = await makeService(libs, servers.adminUrl);
  const contracts = new libs.Contracts({ publishes: [type], subscribes: [type] });
  await libs.keepSchemas(service.pool, contracts.definitions());
  const drop = async () => {
    await log.close();
    await service.drop();
    await made.drop();
  };
  return { libs, name, type, log, service, contracts, registry: registryOf(type), drop };
}

/** Entries `from` to `to` (exclusive) in the outbox, as if raised in one transaction. */
export async function fillOutbox({ service, type }, from, to) {
  await service.pool.query(
    `insert into aura.outbox (event_id, topic, key, type, schema_fingerprint, body, headers)
     select uuidv7(), $1, key, $2, decode($3, 'hex'),
            '\\x0a'::bytea || convert_to(key, 'UTF8') || '\\x10'::bytea || convert_to(serial, 'UTF8'), '{}'
       from (select n, 'k' || lpad((n % ${KEYS})::text, 4, '0') as key, lpad(n::text, 8, '0') as serial
               from generate_series($4::int, $5::int - 1) as n) as entry
      order by n`,
    [type.topic, type.name, type.fingerprint, from, to],
  );
}

/** Entries 0 to `total` in the log, as a relay would have appended them. */
export async function fillLog({ libs, log, type, contracts, name }, total) {
  for (let from = 0; from < total; from += APPEND) {
    const records = [];
    for (let n = from; n < Math.min(total, from + APPEND); n++)
      records.push(recordOf({ libs, type, contracts, name }, n));
    const { failed } = await log.append(records);
    if (failed.length > 0) throw failed[0].error;
  }
}

export function recordOf({ libs, type, contracts, name }, n) {
  const event = type.of({ key: keyOf(n), serial: serialOf(n) });
  const { body, fingerprint } = contracts.encode(event);
  const time = new Date();
  const id = libs.newEventId(time);
  const headers = libs.cloudEventHeaders({
    id,
    type: type.name,
    source: name,
    key: keyOf(n),
    time,
    sequence: BigInt(n + 1),
    fingerprint,
    carried: {},
  });
  return { topic: type.topic, key: keyOf(n), value: libs.frame(1, body), headers };
}

/** True when `reached()` holds; false where nothing has changed for a minute: what is missing was lost. */
export async function until(reached, progressed) {
  let last = progressed();
  let sinceMs = performance.now();
  while (!(await reached())) {
    const now = progressed();
    if (now !== last) [last, sinceMs] = [now, performance.now()];
    if (performance.now() - sinceMs > 60_000) return false;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  return true;
}

/** Resolves when the services of a bench are ready; rejects where they are not within a minute. */
export async function joined(ready) {
  if (!(await until(ready, () => 0)))
    throw new Error('the services have no partitions, or no relay leads, after a minute');
}

/** Bytes that are reachable now. */
export async function reachableBytes() {
  const { setFlagsFromString } = await import('node:v8');
  const { runInNewContext } = await import('node:vm');
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc');
  gc();
  gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

export const mib = (bytes) => Number((bytes / 2 ** 20).toFixed(1));
