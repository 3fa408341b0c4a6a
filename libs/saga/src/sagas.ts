/** The sagas of one service, put together without a framework; `nest/saga.module.ts` puts them into Nest. */
import type { BranchType, EventType } from '@aura/contracts';
import { migrate, type EventHandler, type Eventing, type AnyTaskHandler, type Work } from '@aura/eventing';
import {
  InvariantError,
  run,
  statement,
  systemClock,
  TerminalError,
  withClient,
  type Clock,
  type Logger,
} from '@aura/platform';
import type { Pool } from 'pg';
import { Amnesia } from './coordinator/amnesia.js';
import { taskCause } from './cause.js';
import { Coordinator } from './coordinator/coordinator.js';
import { SagaPurge } from './coordinator/purge.js';
import { StartQueue } from './coordinator/start-queue.js';
import { Starting, type StartedSaga, type StartOptions } from './coordinator/starting.js';
import { lockSagas } from './coordinator/store.js';
import { Timers } from './coordinator/timers.js';
import { UNKNOWN } from './coordinator/saga-state.js';
import type { SagaView } from './coordinator/view.js';
import { Views } from './coordinator/views.js';
import { Waiting } from './coordinator/waiting.js';
import type { AnySaga, Saga } from './definition.js';
import { sagaTables } from './migrations/saga-tables.js';
import { SagaOperations } from './operator.js';
import { answersOf } from './participant/answers.js';
import { incomingTypes } from './participant/incoming.js';
import type { ExternalParticipant, Participant } from './participant/participant.js';
import { Participants } from './participant/participants.js';

export interface SagasOptions {
  readonly service: string;
  /** The sagas that this service starts: every version that is still in use. */
  readonly coordinates?: readonly AnySaga[];
  /** The branch types that this service takes part with. Their participants are asked for by `prepare`. */
  readonly participates?: readonly ParticipantSource[];
  readonly logger: Logger;
  readonly clock?: Clock;
  /** Ended sagas, and their idempotency keys, are forgotten so many days later. Default: all are kept. */
  readonly retentionDays?: number;
}

/** A branch type and what does it, once that has been made. */
export interface ParticipantSource {
  readonly type: BranchType;
  readonly participant: () => Participant | ExternalParticipant;
}

/** Where sagas run: the event path of the service, known only once that is made. */
export type SagaPlace = Pick<
  Eventing,
  'units' | 'pool' | 'forgotten' | 'beforeForgetting' | 'addFindings' | 'inboxRetentionDays'
>;

interface Running {
  readonly place: SagaPlace;
  readonly amnesia: Amnesia;
  readonly purge: SagaPurge;
  readonly operations: SagaOperations;
  readonly timers: Timers;
  readonly waiting: Waiting;
  readonly views: Views;
  readonly starts: StartQueue;
  readonly participants: Participants;
}

const IN_USE = statement(
  'saga_in_use',
  `select type, version, count(*)::int as count, (array_agg(id order by id))[1:5] as ids
     from aura.saga where ended_at is null and type <> '${UNKNOWN}' group by type, version`,
);

/**
 * Starts and coordinates sagas, and takes part in them.
 *
 * `publishes` and `subscribes` belong to the service's contracts; then `prepare`, `handlers` and `tasks` for
 * its event path before that consumes, `start`, and `stop` before the event path.
 */
export class Sagas {
  readonly #coordinator: Coordinator;
  readonly #starting: Starting;
  #running: Running | undefined;

  /** Throws `InvariantError` for a definition that can't work in this service. */
  constructor(private readonly options: SagasOptions) {
    const { service, coordinates = [], logger } = options;
    for (const saga of coordinates) saga.checkFor(service);
    const labels = coordinates.map(({ label }) => label);
    const twice = labels.find((label, index) => labels.indexOf(label) !== index);
    if (twice) throw new InvariantError(`saga ${twice} is declared twice in ${service}`);
    const onDecided = (sagas: readonly SagaView[]): void => this.#running?.waiting.decided(sagas);
    this.#coordinator = new Coordinator({ service, definitions: coordinates, logger, onDecided });
    this.#starting = new Starting(this.#coordinator.events, coordinates, (at) =>
      this.#running?.timers.expect(at),
    );
  }

  /** False: this service neither starts sagas nor takes part in any, and needs none of their tables. */
  get hasPart(): boolean {
    const { coordinates = [], participates = [] } = this.options;
    return coordinates.length + participates.length > 0;
  }

  /** What the service has to declare that it publishes. */
  get publishes(): readonly EventType[] {
    const { service, coordinates = [], participates = [] } = this.options;
    return [
      ...(coordinates.length > 0 ? this.#coordinator.publishes : []),
      ...(participates.length > 0 ? answersOf(service) : []),
    ];
  }

  /** What it has to declare that it reads. */
  get subscribes(): readonly EventType[] {
    const { participates = [] } = this.options;
    const coordinators = new Set(participates.flatMap(({ type }) => type.coordinators));
    return [...this.#coordinator.subscribes, ...incomingTypes(coordinators)];
  }

  /** Brings the tables up to date; throws where a version that is in use is not declared any more. */
  async prepare(place: SagaPlace): Promise<void> {
    const { service, participates = [], logger, clock = systemClock } = this.options;
    await withClient(place.pool, (client) => migrate(client, sagaTables));
    await this.#checkVersions(place.pool);
    const { units, pool } = place;
    const own = { coordinator: this.#coordinator, units, pool, db: pool, clock, logger };
    const entries = participates.map(({ participant, ...entry }) => ({
      ...entry,
      participant: participant(),
    }));
    this.#running = {
      place,
      amnesia: new Amnesia({
        ...own,
        definitions: this.options.coordinates ?? [],
        forgotten: (types) => place.forgotten(types),
      }),
      purge: new SagaPurge({ ...own, retentionDays: this.options.retentionDays }),
      operations: new SagaOperations({ ...own, service }),
      timers: new Timers(own),
      waiting: new Waiting(pool, logger),
      views: new Views(pool),
      starts: new StartQueue(this.#starting, units, clock),
      participants: new Participants({
        service,
        participants: entries,
        units,
        pool,
        clock,
        logger,
        inboxDays: place.inboxRetentionDays,
      }),
    };
    this.#tell(this.#running);
  }

  #tell({ place, amnesia, operations, participants }: Running): void {
    place.beforeForgetting(() => amnesia.takeBack());
    place.addFindings(
      { name: 'sagas', findings: async () => [...amnesia.findings(), ...(await operations.findings())] },
      { name: 'branches of sagas', findings: () => participants.findings() },
    );
  }

  handlers(): EventHandler[] {
    return [...this.#coordinator.handlers(), ...this.#parts.participants.handlers()];
  }

  tasks(): AnyTaskHandler[] {
    return [...this.#coordinator.tasks(), ...this.#parts.participants.tasks()];
  }

  start(): void {
    const { amnesia, purge, timers, waiting, participants } = this.#parts;
    for (const loop of [amnesia, purge, timers, waiting, participants]) loop.start();
  }

  async stop(): Promise<void> {
    if (!this.#running) return;
    const { amnesia, purge, timers, waiting, participants } = this.#running;
    await Promise.all([amnesia.stop(), purge.stop(), timers.stop(), participants.stop()]);
    await waiting.stop();
  }

  /** What operators may ask of the sagas that this service started. */
  get operations(): SagaOperations {
    return this.#parts.operations;
  }

  /** Why nothing is decided here at the moment, for readiness; undefined where all goes on. */
  get waits(): string | undefined {
    return this.#running?.amnesia.waits;
  }

  /**
   * Starts a saga in the caller's transaction: its business rows and the saga together. See `Starting.start`.
   */
  begin<I extends object>(
    work: Work,
    saga: Saga<I>,
    input: I,
    options: StartOptions = {},
  ): Promise<StartedSaga> {
    return this.#starting.start(work, saga, input, options);
  }

  /**
   * Starts a saga in a transaction of its own, which it shares with all that are submitted at the same time;
   * the service's own rows are written by the definition's `begun`. Resolves when it is committed; rejects as
   * `begin` does.
   */
  submit<I extends object>(saga: Saga<I>, input: I, options: StartOptions = {}): Promise<StartedSaga> {
    return this.#parts.starts.add(saga, input, options);
  }

  /** Undefined: this service has started no such saga. */
  find(id: string): Promise<SagaView | undefined> {
    return this.#parts.views.find(id);
  }

  /**
   * The saga once it is decided, or as it is after `withinMs`; the caller's transaction is over by then. One
   * that this caller has just started need not be looked for first.
   */
  async outcome(
    saga: string | StartedSaga,
    { withinMs }: { readonly withinMs: number },
  ): Promise<SagaView | undefined> {
    const id = typeof saga === 'string' ? saga : saga.id;
    const waiting = this.#parts.waiting.for(id, withinMs); // before the look: nothing is missed in between
    try {
      const told = waiting.decided.then((decided) => decided ?? this.find(id));
      if (typeof saga !== 'string' && saga.isNew) return await told;
      const now = await Promise.race([this.find(id), told]);
      return now?.decidedAt === null ? await told : now;
    } finally {
      waiting.leave();
    }
  }

  /**
   * Cancels a saga while it is not decided; what became of it is in the answer: a decided one stays as it
   * is, one whose pivot was asked is cancelled only if that did not run.
   */
  async cancel(id: string, why: { readonly code: string; readonly text: string }): Promise<SagaView> {
    await this.#parts.place.units.run(
      async (work) => {
        const sagas = await lockSagas(work, [id]);
        await this.#coordinator.step(sagas, [{ sagaId: id, event: { type: 'cancel', ...why } }], work);
      },
      taskCause(this.options.clock ?? systemClock),
    );
    const view = await this.find(id);
    if (!view) throw new TerminalError(`there is no saga ${id} in ${this.options.service}`);
    return view;
  }

  /** One look at the timers. For tests. */
  async runTimersOnce(): Promise<void> {
    await this.#parts.timers.runOnce();
  }

  /** One batch of the purge. For tests. */
  async purgeOnce(): Promise<void> {
    await this.#parts.purge.runOnce();
  }

  get #parts(): Running {
    if (!this.#running) throw new InvariantError('sagas are used before they were prepared');
    return this.#running;
  }

  async #checkVersions(pool: Pool): Promise<void> {
    const { coordinates = [], service } = this.options;
    const known = new Set(coordinates.map(({ label }) => label));
    const rows = await run<{ type: string; version: number; count: number; ids: string[] }>(pool, IN_USE);
    const gone = rows.filter(({ type, version }) => !known.has(`${type} v${version}`));
    if (gone.length === 0) return;
    const words = gone.map(
      ({ type, version, count, ids }) => `${type} v${version} by ${count} (${ids.join(', ')})`,
    );
    throw new InvariantError(
      `${service} has sagas of versions that this program does not declare: ${words.join('; ')}. ` +
        'Declare them beside the new ones until these have ended',
    );
  }
}
