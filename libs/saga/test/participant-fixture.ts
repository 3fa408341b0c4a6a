import {
  AvroCodec,
  Contracts,
  defineBranch,
  newEventId,
  type BranchKind,
  type BranchType,
} from '@aura/contracts';
import type { EventEnvelope, EventType } from '@aura/contracts';
import {
  migrate,
  TaskRunner,
  UnitsOfWork,
  type Finding,
  type SetHandler,
  type Written,
} from '@aura/eventing';
import { silentLogger, withClient, type Logger } from '@aura/platform';
import { testDatabase } from '@aura/testing';
import type { Pool } from 'pg';
import { DataSource } from 'typeorm';
import { BranchCodec } from '../src/branch-codec.js';
import {
  BranchAsked,
  BranchCancelAsked,
  DecisionRepeated,
  SagaAborted,
  SagaCommitted,
  SagaStarted,
  type BranchesAnsweredSays,
} from '../src/generated/protocol.js';
import { participantTables } from '../src/migrations/0002-participant.js';
import { answersOf } from '../src/participant/answers.js';
import type { ParticipantEntry } from '../src/participant/known-branches.js';
import { Participants, type ParticipantsOptions } from '../src/participant/participants.js';

export interface Wanted {
  readonly sku: string;
  readonly pieces: number;
}

/** Branch types of the service `depot`, one per kind; `shop` and `kiosk` may ask for them. */
export function branchType(name: string, kind: BranchKind): BranchType<Wanted> {
  const fields = [
    { name: 'sku', type: 'string' },
    { name: 'pieces', type: 'int' },
  ];
  const schema = { type: 'record', name, namespace: 'depot', fields };
  return defineBranch<Wanted>({
    service: 'depot',
    kind,
    coordinators: ['shop', 'kiosk'],
    version: 1,
    schema,
  });
}

export const Hold = branchType('Hold', 'reservable');
export const Rent = branchType('Rent', 'compensatable');
export const Pack = branchType('Pack', 'retriable');
export const Ship = branchType('Ship', 'pivot');
export const Charge = branchType('Charge', 'external');

/** An event as it lies in the outbox. */
export interface Raised {
  readonly type: string;
  readonly key: string;
  readonly payload: Record<string, unknown>;
  readonly body: Buffer;
  readonly headers: Record<string, string>;
}

/** One answer, of whichever event. */
export interface RaisedAnswer {
  readonly sagaId: string;
  /** `DecisionAsked` of a question. */
  readonly says: BranchesAnsweredSays | 'DecisionAsked';
  readonly answer: Record<string, unknown>;
  readonly raised: Raised;
}

export interface ParticipantFixture {
  readonly pool: Pool;
  readonly units: UnitsOfWork;
  readonly participants: Participants;
  /** What it wrote into the log, most severe only. */
  readonly errors: string[];
  /** What its units have committed, in order. */
  readonly committed: Written[];
  /** The clock, moved by hand. */
  now: Date;
  rows<R>(sql: string, values?: unknown[]): Promise<R[]>;
  /** One run of these events in one transaction, as a consumer makes it. */
  deliver(...events: EventEnvelope[]): Promise<void>;
  /** The events since the last look at them, or at the answers. */
  events(): Promise<Raised[]>;
  /** The answers in them. */
  answers(): Promise<RaisedAnswer[]>;
  /** `state` of each branch, by `saga/branch`. */
  states(): Promise<Record<string, string>>;
  /** Every task that is due now, to its end. */
  runTasks(): Promise<void>;
  findings(): Promise<readonly Finding[]>;
  /** The same database, another process. */
  another(options?: Partial<ParticipantsOptions>): ParticipantFixture;
  close(): Promise<void>;
}

interface Base {
  readonly dataSource: DataSource;
  readonly pool: Pool;
  drop(): Promise<void>;
}

export async function participantFixture(
  participants: readonly ParticipantEntry[],
  options: Partial<ParticipantsOptions> & { readonly sql?: string } = {},
): Promise<ParticipantFixture> {
  const database = await testDatabase('participant');
  const dataSource = new DataSource({
    type: 'postgres',
    url: database.url,
    poolSize: 10,
    installExtensions: false,
    poolErrorHandler: () => undefined,
  });
  await dataSource.initialize();
  const pool = (dataSource.driver as unknown as { master: Pool }).master;
  await withClient(pool, async (client) => {
    await migrate(client);
    await migrate(client, { table: 'saga_migration', migrations: [participantTables] });
  });
  await pool.query('create table aura.outbox_any_day partition of aura.outbox default');
  if (options.sql) await pool.query(options.sql);
  return fixtureOn({ dataSource, pool, drop: () => database.drop() }, participants, options);
}

function fixtureOn(
  base: Base,
  entries: readonly ParticipantEntry[],
  options: Partial<ParticipantsOptions>,
): ParticipantFixture {
  const { dataSource, pool } = base;
  const errors: string[] = [];
  const logger: Logger = { ...silentLogger, error: (_, message) => errors.push(message) };
  let now = new Date();
  const clock = { now: () => now };
  const publishes = answersOf('depot');
  const contracts = new Contracts({ publishes, subscribes: [] });
  const committed: Written[] = [];
  const onCommitted = (written: Written): unknown => committed.push(written);
  const units = new UnitsOfWork({ dataSource, clock, contracts, onCommitted });
  const participants = new Participants({
    service: 'depot',
    participants: entries,
    units,
    pool,
    clock,
    logger,
    inboxDays: 14,
    ...options,
  });
  const position = { seen: 0n };
  return {
    pool,
    units,
    participants,
    errors,
    committed,
    get now() {
      return now;
    },
    set now(at) {
      now = at;
    },
    rows: async <R>(sql: string, values: unknown[] = []) => (await pool.query(sql, values)).rows as R[],
    async deliver(...events) {
      const [handler] = participants.handlers() as [SetHandler];
      const [event] = events;
      if (event)
        await units.run((work) => handler.handle(events, work), { kind: 'event', event, group: 'depot' });
    },
    events: () => eventsSince(pool, position),
    answers: async () => (await eventsSince(pool, position)).flatMap(answersIn),
    async states() {
      const { rows } = await pool.query<{ key: string; state: string }>(
        `select saga_id || '/' || branch as key, state from aura.branch order by 1`,
      );
      return Object.fromEntries(rows.map(({ key, state }) => [key, state]));
    },
    async runTasks() {
      const handlers = participants.tasks();
      const runner = new TaskRunner({ handlers, units: units.context, pool, logger: silentLogger });
      await pool.query('update aura.task set due_at = clock_timestamp()');
      await runner.runOnce();
    },
    findings: () => participants.findings(),
    another: (more = {}) => fixtureOn(base, entries, { ...options, ...more }),
    async close() {
      await participants.stop();
      await dataSource.destroy();
      await base.drop();
    },
  };
}

const codecs = new Map(answersOf('depot').map(({ name, schema }) => [name, new AvroCodec(name, schema)]));

async function eventsSince(pool: Pool, position: { seen: bigint }): Promise<Raised[]> {
  const { rows } = await pool.query<Raised & { position: string }>(
    'select position, type, key, body, headers from aura.outbox where position > $1 order by position',
    [position.seen],
  );
  position.seen = BigInt(rows.at(-1)?.position ?? position.seen);
  return rows.map(({ type, key, body, headers }) => {
    const codec = codecs.get(type) as AvroCodec;
    const payload = codec.decode(body, codec.schema) as Raised['payload'];
    return { type, key, body, headers, payload };
  });
}

function answersIn(raised: Raised): RaisedAnswer[] {
  const { type, payload } = raised;
  const answers = (payload['answers'] ?? [{ ...payload, says: type.slice('aura.'.length) }]) as unknown[];
  return answers.map((each) => {
    const answer = each as RaisedAnswer['answer'] & Pick<RaisedAnswer, 'sagaId' | 'says'>;
    return { sagaId: answer.sagaId, says: answer.says, answer, raised };
  });
}

/** A branch, as it is told about. */
export interface BranchOf {
  readonly branch: string;
  readonly type: BranchType;
}

/** One saga of a coordinator, as its participants hear of it. */
export class SagaOf {
  readonly id = newEventId(new Date());

  constructor(
    readonly coordinator = 'shop',
    readonly deadline = new Date(Date.now() + 60_000),
  ) {}

  started(...asks: (BranchOf & { readonly input: Wanted })[]): EventEnvelope {
    return this.#event(SagaStarted.by(this.coordinator), {
      sagaId: this.id,
      sagaType: 'order',
      sagaVersion: 1,
      deadline: this.deadline,
      asks: asks.map(wire),
    });
  }

  asked(ask: BranchOf & { readonly input: Wanted }): EventEnvelope {
    const { deadline, id: sagaId } = this;
    const payload = { sagaId, sagaType: 'order', sagaVersion: 1, deadline, ask: wire(ask) };
    return this.#event(BranchAsked.by(this.coordinator), payload);
  }

  committed(...branches: BranchOf[]): EventEnvelope {
    return this.#event(SagaCommitted.by(this.coordinator), {
      sagaId: this.id,
      branches: branches.map(named),
    });
  }

  aborted(...branches: BranchOf[]): EventEnvelope {
    const payload = { sagaId: this.id, branches: branches.map(named), code: 'cancelled', reason: 'so it is' };
    return this.#event(SagaAborted.by(this.coordinator), payload);
  }

  cancelAsked({ branch, type }: BranchOf): EventEnvelope {
    const payload = { sagaId: this.id, branch, branchType: type.name };
    return this.#event(BranchCancelAsked.by(this.coordinator), payload);
  }

  repeated({ branch, type }: BranchOf, decision: 'COMMITTED' | 'ABORTED'): EventEnvelope {
    const payload = { sagaId: this.id, branch, branchType: type.name, decision };
    return this.#event(DecisionRepeated.by(this.coordinator), payload);
  }

  #event(type: EventType, payload: object): EventEnvelope {
    const { coordinator, id: key } = this;
    return {
      id: newEventId(new Date()),
      type: type.name,
      key,
      payload,
      time: new Date(),
      source: coordinator,
      sequence: undefined,
      correlationId: key,
      causationId: undefined,
      replayId: undefined,
      topic: type.topic,
      partition: 0,
      offset: 0n,
      headers: {},
    };
  }
}

const inputs = new Map<BranchType, BranchCodec>();

function wire({ branch, type, input }: BranchOf & { readonly input: Wanted }) {
  const codec = inputs.get(type) ?? new BranchCodec(type);
  inputs.set(type, codec);
  return { branch, branchType: type.name, ...codec.encode(input) };
}

function named({ branch, type }: BranchOf) {
  return { name: branch, branchType: type.name };
}

/** The same event once more, with another id: as a coordinator raises it again. */
export function again(event: EventEnvelope): EventEnvelope {
  return { ...event, id: newEventId(new Date()) };
}
