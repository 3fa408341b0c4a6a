/**
 * - R1 an id never changes its meaning, and one schema has one id whatever its subjects;
 * - R2 the schemas of a subject are FULL_TRANSITIVE: checked under the subject's lock, so that two that are
 *   compatible with what is there, but not with each other, can't both get in.
 */
import {
  AuraError,
  codeOf,
  run,
  statement,
  TransientError,
  withClient,
  type Queryable,
} from '@aura/platform';
import { Pool, type PoolClient } from 'pg';
import { schemaProblem } from '../avro.js';
import { transitiveProblems } from '../compatibility.js';
import { SchemaRefusedError, UnknownSchemaIdError } from '../errors.js';
import type { AvroSchema } from '../event.js';
import { fingerprintOf } from '../fingerprint.js';
import type { SchemaRegistry } from '../registry.js';
import { migrateRegistry } from './postgres-migrations.js';
import { SchemaCache } from './schema-cache.js';

const LOCK_SUBJECT = statement(
  'registry_lock_subject',
  `select pg_advisory_xact_lock(hashtextextended('aura_registry:' || $1, 0))`,
);
const FIND_ID = statement(
  'registry_find_id',
  `select s.id from aura_registry.subject_schema v join aura_registry.schema s on s.id = v.schema_id
    where v.subject = $1 and s.fingerprint = decode($2, 'hex')`,
);
const EARLIER = statement(
  'registry_earlier',
  `select s.definition from aura_registry.subject_schema v join aura_registry.schema s on s.id = v.schema_id
    where v.subject = $1 order by v.version desc`,
);
/** The no-op update makes `returning` answer for a schema that another subject has already. */
const INSERT_SCHEMA = statement(
  'registry_insert_schema',
  `insert into aura_registry.schema (fingerprint, definition) values (decode($1, 'hex'), $2)
   on conflict (fingerprint) do update set fingerprint = excluded.fingerprint returning id`,
);
const INSERT_VERSION = statement(
  'registry_insert_version',
  `insert into aura_registry.subject_schema (subject, version, schema_id)
   select $1, coalesce(max(version), 0) + 1, $2 from aura_registry.subject_schema where subject = $1`,
);
const FIND_SCHEMA = statement(
  'registry_find_schema',
  'select definition from aura_registry.schema where id = $1',
);

const PING = statement('registry_ping', 'select 1');

export interface PostgresRegistryOptions {
  /** A pool of the caller's, left open by `close`; or an address, for a small pool of its own. */
  readonly database: Pool | string;
  /** Of a statement, and of getting a connection. Default 5,000; own pool only. */
  readonly timeoutMs?: number;
}

/** The embedded registry: tables in the log's database, made when first needed. */
export class PostgresRegistry implements SchemaRegistry {
  readonly #pool: Pool;
  readonly #ownsPool: boolean;
  #migrated: Promise<void> | undefined;
  readonly #cache = new SchemaCache({
    fetchSchema: (id) => this.#fetch(id),
    registerSchema: (subject, schema) => this.#register(subject, schema),
  });

  constructor({ database, timeoutMs = 5_000 }: PostgresRegistryOptions) {
    this.#ownsPool = typeof database === 'string';
    this.#pool = typeof database === 'string' ? ownPool(database, timeoutMs) : database;
  }

  register(subject: string, schema: AvroSchema): Promise<number> {
    return this.#cache.register(subject, schema);
  }

  schemaById(id: number): Promise<AvroSchema> {
    return this.#cache.schemaById(id);
  }

  async ping(timeoutMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const words = `the registry's database did not answer within ${timeoutMs} ms`;
      timer = setTimeout(() => reject(new TransientError(words)), timeoutMs);
    });
    try {
      await Promise.race([answering('the registry was asked', () => run(this.#pool, PING)), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  async close(): Promise<void> {
    if (this.#ownsPool && !this.#pool.ended) await this.#pool.end();
  }

  #fetch(id: number): Promise<AvroSchema> {
    return answering(`schema ${id} can't be fetched`, async () => {
      await this.#migrate();
      const [row] = await run<{ definition: AvroSchema }>(this.#pool, FIND_SCHEMA, [id]);
      if (!row) throw new UnknownSchemaIdError(id);
      return row.definition;
    });
  }

  #register(subject: string, schema: AvroSchema): Promise<number> {
    const problem = schemaProblem(schema);
    if (problem !== undefined) throw new SchemaRefusedError(subject, [problem]);
    const fingerprint = fingerprintOf(schema);
    return answering(`${subject} can't be registered`, async () => {
      await this.#migrate();
      const known = await findId(this.#pool, subject, fingerprint);
      return known ?? this.#transaction((client) => add(client, subject, schema, fingerprint));
    });
  }

  /** Once; again after a failure, so that a registry may be made before its database is up. */
  #migrate(): Promise<void> {
    this.#migrated ??= this.#transaction(migrateRegistry).catch((error: unknown) => {
      this.#migrated = undefined;
      throw error;
    });
    return this.#migrated;
  }

  #transaction<T>(fn: (client: PoolClient) => Promise<T>): Promise<T> {
    return withClient(this.#pool, (client) => inTransaction(client, fn));
  }
}

async function inTransaction<T>(client: PoolClient, fn: (client: PoolClient) => Promise<T>): Promise<T> {
  await client.query('begin');
  try {
    const result = await fn(client);
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch(() => undefined); // the error that brought us here says more
    throw error;
  }
}

async function findId(db: Queryable, subject: string, fingerprint: string): Promise<number | undefined> {
  const [row] = await run<{ id: number }>(db, FIND_ID, [subject, fingerprint]);
  return row?.id;
}

/** R2. */
async function add(
  client: PoolClient,
  subject: string,
  schema: AvroSchema,
  fingerprint: string,
): Promise<number> {
  await run(client, LOCK_SUBJECT, [subject]);
  const known = await findId(client, subject, fingerprint);
  if (known !== undefined) return known;
  const earlier = await run<{ definition: AvroSchema }>(client, EARLIER, [subject]);
  const problems = transitiveProblems(
    schema,
    earlier.map((row) => row.definition),
  );
  if (problems.length > 0)
    throw new SchemaRefusedError(
      subject,
      problems.map(({ path, reason }) => (path === '' ? reason : `${path}: ${reason}`)),
    );
  const [row] = await run<{ id: number }>(client, INSERT_SCHEMA, [fingerprint, JSON.stringify(schema)]);
  const id = (row as { id: number }).id;
  await run(client, INSERT_VERSION, [subject, id]);
  return id;
}

/** Errors of ours and refusals by SQLSTATE that a retry would not cure go on; everything else is "away". */
async function answering<T>(what: string, fn: () => Promise<T>): Promise<T> {
  try {
    return await fn();
  } catch (cause) {
    if (cause instanceof AuraError) throw cause;
    const code = codeOf(cause);
    // pg's own errors about broken connections have no code; an SQLSTATE of class 42 is a bug, not an outage.
    if (code !== undefined && /^(2[0-9A-F]|42|0A)...$/.test(code)) throw cause;
    throw new TransientError(`${what}: the registry's database does not answer as it should`, { cause });
  }
}

function ownPool(url: string, timeoutMs: number): Pool {
  const pool = new Pool({
    connectionString: url,
    application_name: 'aura-registry',
    max: 2,
    connectionTimeoutMillis: timeoutMs,
    statement_timeout: timeoutMs,
    query_timeout: timeoutMs * 2,
  });
  // An idle connection that breaks is replaced at the next query; without a listener it would end the
  // process.
  pool.on('error', () => undefined);
  return pool;
}
