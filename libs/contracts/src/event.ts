/** An Avro schema as JSON: what a `.avsc` file holds. */
export type AvroSchema =
  string | AvroSchema[] | { readonly type: unknown; readonly [attribute: string]: unknown };

/**
 * The runtime token of one event type, generated from `schemas/<service>/<Event>.v<N>.avsc`.
 * `In` is what a publisher gives (fields with a default may be left out), `Out` is what a reader gets (all
 * fields).
 */
export interface EventType<Out extends object = object, In extends object = Out> {
  /** Full name of the Avro record: `<service>.<Event>`. Stable for ever; also `ce_type`. */
  readonly name: string;
  /** The publishing service; its topic is `<service>.events`. */
  readonly service: string;
  readonly topic: string;
  /** `<topic>-<name>` (TopicRecordNameStrategy). */
  readonly subject: string;
  /** The N of the file: the newest compatible revision that this program was built with. */
  readonly version: number;
  readonly schema: AvroSchema;
  /**
   * Of the whole schema, logical types and defaults too: `fingerprintOf`, 16 hex digits. Not Avro's CRC-64.
   */
  readonly fingerprint: string;
  /** The field that is the event's key: what order is kept by. Declared in the schema as `aura.key`. */
  readonly keyField: string;
  /** An event of this type, ready to be raised. Not yet checked: `work.raise` encodes it and so checks it. */
  of(payload: In): NewEvent<Out, In>;
  /** Never set: carries the types. */
  readonly _types?: { out: Out; in: In };
}

/** An event that is about to be raised. */
export interface NewEvent<Out extends object = object, In extends object = Out> {
  readonly type: EventType<Out, In>;
  readonly payload: In;
}

/** One event as a handler gets it: the payload in the reader's own schema, and where it came from. */
export interface EventEnvelope<P extends object = object> {
  /** UUIDv7. */
  readonly id: string;
  /** Full name of the record. */
  readonly type: string;
  readonly key: string;
  readonly payload: P;
  /** When it was raised (`ce_time`), by the publisher's database clock. */
  readonly time: Date;
  /** The publishing service (`ce_source`). */
  readonly source: string;
  /** Position in the publisher's outbox (`ce_sequence`); undefined on foreign records. */
  readonly sequence: bigint | undefined;
  readonly correlationId: string | undefined;
  readonly causationId: string | undefined;
  /** Set on records that a replay published again. */
  readonly replayId: string | undefined;
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  /** All headers, `traceparent` and `tracestate` among them. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Header names: CloudEvents 1.0 Kafka binding, binary mode, W3C trace context and our three. */
export const HEADER = {
  specVersion: 'ce_specversion',
  id: 'ce_id',
  type: 'ce_type',
  source: 'ce_source',
  time: 'ce_time',
  subject: 'ce_subject',
  sequence: 'ce_sequence',
  /**
   * `urn:aura:schema:<fingerprint>` of the writer: a rebuilt registry's ids can't pass for the old ones
   * (H35).
   */
  dataSchema: 'ce_dataschema',
  contentType: 'content-type',
  correlationId: 'correlationid',
  causationId: 'causationid',
  replayId: 'replayid',
  traceparent: 'traceparent',
  tracestate: 'tracestate',
} as const;
