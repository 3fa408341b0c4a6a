/**
 * Rows of the outbox to records of the log. The body was encoded when the event was raised; here it gets
 * its frame, with the id that the registry has for its schema now (H35), and its headers.
 *
 * Order per key is kept by `lanes.ts`; here: a row that can't be framed keeps the later rows of its key out
 * of the append.
 */
import { cloudEventHeaders, frame, type SchemaRegistry } from '@aura/contracts';
import { UnknownTopicError, type AppendResult, type EventLog, type NewRecord } from '@aura/event-log';
import { asError, InvariantError, kindOf, TransientError, type Queryable } from '@aura/platform';
import type { Batch, Outcome } from './lanes.js';
import { findSchema, type RelayRow } from './relay-store.js';

/** Rows that one partition has acknowledged, in order; `offset` is that of the last. */
export interface AcknowledgedRows {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly positions: readonly bigint[];
  readonly keys: readonly string[];
}

export interface Published extends Outcome<RelayRow> {
  readonly marks: readonly AcknowledgedRows[];
}

export interface PublisherOptions {
  readonly log: EventLog;
  readonly registry: SchemaRegistry;
  /** Where `aura.schema` is read: any connection but the leader's own. */
  readonly db: Queryable;
  /** `ce_source`: the service. */
  readonly source: string;
  /** Monotonic, ms. */
  readonly nowMs: () => number;
}

/** A registry may be rebuilt with other ids: it is asked again after this long. */
const ID_MAX_AGE_MS = 60_000;

type Failure = { readonly error: Error; readonly terminal: boolean };

export class Publisher {
  /** By fingerprint. */
  readonly #ids = new Map<string, { id: number; askedAtMs: number }>();

  constructor(private readonly options: PublisherOptions) {}

  /** Sends a batch. Never rejects: what was not acknowledged is in `failed`, or in neither. */
  async publish({ rows, probe }: Batch<RelayRow>): Promise<Published> {
    const failed = new Map<RelayRow, Failure>();
    const unframed = await this.#learnIds(new Set(rows.map((row) => row.fingerprint)));
    const sent = withoutUnframed(rows, unframed, failed);
    if (sent.length === 0) return { acknowledged: new Set(), failed, marks: [] };
    let result: AppendResult;
    try {
      result = await this.options.log.append(
        sent.map((row) => this.#record(row)),
        { probe },
      );
    } catch (error) {
      for (const row of sent) failed.set(row, { error: asError(error), terminal: false });
      return { acknowledged: new Set(), failed, marks: [] };
    }
    return read(result, sent, failed);
  }

  #record(row: RelayRow): NewRecord {
    const { topic, key, eventId: id, type, raisedAt: time, position: sequence, fingerprint, headers } = row;
    const schema = this.#ids.get(fingerprint);
    if (!schema) throw new InvariantError(`schema ${fingerprint} has no id yet`);
    return {
      topic,
      key,
      value: frame(schema.id, row.body),
      headers: cloudEventHeaders({
        id,
        type,
        source: this.options.source,
        key,
        time,
        sequence,
        fingerprint,
        carried: headers,
      }),
    };
  }

  /** Gives why some of `fingerprints` have no id; the others are known from now on. */
  async #learnIds(fingerprints: ReadonlySet<string>): Promise<Map<string, Failure>> {
    const failures = new Map<string, Failure>();
    const askedAtMs = this.options.nowMs();
    await Promise.all(
      [...fingerprints].map(async (fingerprint) => {
        const known = this.#ids.get(fingerprint);
        if (known && askedAtMs - known.askedAtMs < ID_MAX_AGE_MS) return;
        try {
          this.#ids.set(fingerprint, { id: await this.#register(fingerprint), askedAtMs });
        } catch (error) {
          // A registry that is away stops nobody whose schema is known.
          if (known) this.#ids.set(fingerprint, { id: known.id, askedAtMs });
          else failures.set(fingerprint, { error: asError(error), terminal: kindOf(error) === 'terminal' });
        }
      }),
    );
    return failures;
  }

  async #register(fingerprint: string): Promise<number> {
    const schema = await findSchema(this.options.db, fingerprint);
    if (!schema)
      throw new TransientError(
        `schema ${fingerprint} is not in aura.schema: insert its definition, ` +
          'or start the program that raised with it',
      );
    return this.options.registry.register(schema.subject, schema.definition);
  }
}

/** Rows whose schema has no id fail, and behind each the later rows of its key. */
function withoutUnframed(
  rows: readonly RelayRow[],
  unframed: ReadonlyMap<string, Failure>,
  failed: Map<RelayRow, Failure>,
): RelayRow[] {
  if (unframed.size === 0) return [...rows];
  const waiting = new Set<string>();
  return rows.filter((row) => {
    const name = `${row.topic}\n${row.key}`;
    const failure = unframed.get(row.fingerprint);
    if (failure) failed.set(row, failure);
    if (failure) waiting.add(name);
    return !waiting.has(name);
  });
}

/** E4: a row is acknowledged only where its own partition names it. */
function read(result: AppendResult, sent: readonly RelayRow[], failed: Map<RelayRow, Failure>): Published {
  const acknowledged = new Set<RelayRow>();
  const marks: AcknowledgedRows[] = [];
  for (const { topic, partition, firstOffset, indexes } of result.acknowledged) {
    const rows = indexes.flatMap((index) => sent[index] ?? []);
    for (const row of rows) acknowledged.add(row);
    const offset = firstOffset + BigInt(indexes.length) - 1n;
    marks.push({
      topic,
      partition,
      offset,
      positions: rows.map((row) => row.position),
      keys: rows.map((row) => row.key),
    });
  }
  for (const { indexes, error } of result.failed) {
    // A topic that is missing may be made any moment; a record that was refused will not get better.
    const terminal = kindOf(error) === 'terminal' && !(error instanceof UnknownTopicError);
    for (const index of indexes) {
      const row = sent[index];
      if (row) failed.set(row, { error, terminal });
    }
  }
  return { acknowledged, failed, marks };
}
