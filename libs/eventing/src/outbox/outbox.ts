import { run, statement, type Queryable } from '@aura/platform';

/** One raised event as it waits in `aura.outbox`. */
export interface OutboxRow {
  readonly eventId: string;
  readonly topic: string;
  readonly key: string;
  /** Full name of the record. */
  readonly type: string;
  /** Of the schema that `body` was written with; 16 hex digits. Its text is in `aura.schema`. */
  readonly fingerprint: string;
  /** Avro, without a frame. */
  readonly body: Buffer;
  /**
   * Trace, correlation and causation; what CloudEvents adds is made from the columns when it is published.
   */
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * `with ordinality .. order by` makes positions follow the order in which the events were raised. `xid` and
 * `position` are drawn by their defaults, in this order: whoever has a position holds an xid that is older
 * (relay rule 2).
 */
const INSERT = statement(
  'outbox_insert',
  `insert into aura.outbox (event_id, topic, key, type, schema_fingerprint, body, headers)
   select event_id, topic, key, type, decode(fingerprint, 'hex'), body, headers::jsonb
     from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::text[])
          with ordinality as raised(event_id, topic, key, type, fingerprint, body, headers, ordinal)
    order by ordinal`,
);

/** Writes raised events, in order: the last statement before COMMIT. One round trip whatever their number. */
export async function insertOutboxRows(db: Queryable, rows: readonly OutboxRow[]): Promise<void> {
  await run(db, INSERT, [
    rows.map((r) => r.eventId),
    rows.map((r) => r.topic),
    rows.map((r) => r.key),
    rows.map((r) => r.type),
    rows.map((r) => r.fingerprint),
    rows.map((r) => r.body),
    rows.map((r) => JSON.stringify(r.headers)),
  ]);
}
