/** The sagas of one service, put together without a framework; `nest/saga.module.ts` puts them into Nest. */
import type { EventType } from '@aura/contracts';
import { migrate, type EventHandler, type TaskHandler, type UnitsOfWork, type Work } from '@aura/eventing';
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
import { Coordinator } from './coordinator/coordinator.js';
import { Starting, type StartedSaga, type StartOptions } from './coordinator/starting.js';
import { lockSagas } from './coordinator/store.js';
import { Timers } from './coordinator/timers.js';
import { UNKNOWN } from './coordinator/unknown.js';
import { viewOf, type SagaView } from './coordinator/view.js';
import { Waiting } from './coordinator/waiting.js';
import type { Saga } from './definition.js';
import { sagaTables } from './migrations/saga-tables.js';

export interface SagasOptions {
  readonly service: string;
  /** The sagas that this service starts: every version that is still in use. */
  readonly coordinates?: readonly Saga<never>[];
  readonly logger: Logger;
  readonly clock?: Clock;
}

/** Where sagas run: known only once the event path of the service is. */
export interface SagaPlace {
  readonly units: UnitsOfWork;
  readonly pool: Pool;
}

const IN_USE = statement(
  'saga_in_use',
  `select type, version, count(*)::int as count, (array_agg(id order by id))[1:5] as ids
     from aura.saga where ended_at is null and type <> '${UNKNOWN}' group by type, version`,
);

/**
 * Starts and coordinates sagas, and takes part in them.
 *
 * `publishes`, `subscribes`, `handlers` and `tasks` go to the service's event path; then `prepare` before
 * anything is consumed, `start`, and `stop` before the event path.
 */
export class Sagas {
  readonly #coordinator: Coordinator;
  readonly #starting: Starting;
  #running: { place: SagaPlace; timers: Timers; waiting: Waiting } | undefined;

  /** Throws `InvariantError` for a definition that can't work in this service. */
  constructor(private readonly options: SagasOptions) {
    const { service, coordinates = [], logger } = options;
    for (const saga of coordinates) saga.checkFor(service);
    const labels = coordinates.map(({ label }) => label);
    const twice = labels.find((label, index) => labels.indexOf(label) !== index);
    if (twice) throw new InvariantError(`saga ${twice} is declared twice in ${service}`);
    const onDecided = (ids: readonly string[]): void => this.#running?.waiting.wake(ids);
    this.#coordinator = new Coordinator({ service, definitions: coordinates, logger, onDecided });
    this.#starting = new Starting(this.#coordinator.events, coordinates, (at) =>
      this.#running?.timers.expect(at),
    );
  }

  get publishes(): readonly EventType[] {
    return this.#coordinator.publishes;
  }

  get subscribes(): readonly EventType[] {
    return this.#coordinator.subscribes;
  }

  handlers(): EventHandler[] {
    return this.#coordinator.handlers();
  }

  tasks(): TaskHandler[] {
    return [];
  }

  /** Brings the tables up to date; throws where a version that is in use is not declared any more. */
  async prepare(place: SagaPlace): Promise<void> {
    const { logger, clock = systemClock } = this.options;
    await withClient(place.pool, (client) => migrate(client, sagaTables));
    await this.#checkVersions(place.pool);
    const { units, pool: db } = place;
    const timers = new Timers({ coordinator: this.#coordinator, units, db, clock, logger });
    this.#running = { place, timers, waiting: new Waiting(db, logger) };
  }

  start(): void {
    this.#parts.timers.start();
    this.#parts.waiting.start();
  }

  async stop(): Promise<void> {
    await this.#running?.timers.stop();
    await this.#running?.waiting.stop();
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

  /** Undefined: this service has started no such saga. */
  find(id: string): Promise<SagaView | undefined> {
    return viewOf(this.#parts.place.pool, id);
  }

  /** The saga once it is decided, or as it is after `withinMs`; the caller's transaction is over by then. */
  async outcome(id: string, { withinMs }: { readonly withinMs: number }): Promise<SagaView | undefined> {
    const before = await this.find(id);
    if (!before || before.decidedAt !== null) return before;
    await this.#parts.waiting.until(id, withinMs);
    return this.find(id);
  }

  /**
   * Cancels a saga while it is not decided; what became of it is in the answer: a decided one stays as it
   * is, one whose pivot was asked is cancelled only if that did not run.
   */
  async cancel(id: string, why: { readonly code: string; readonly text: string }): Promise<SagaView> {
    await this.#parts.place.units.run(async (work) => {
      const sagas = await lockSagas(work, [id]);
      await this.#coordinator.step(sagas, [{ sagaId: id, event: { type: 'cancel', ...why } }], work);
    });
    const view = await this.find(id);
    if (!view) throw new TerminalError(`there is no saga ${id} in ${this.options.service}`);
    return view;
  }

  /** One look at the timers. For tests. */
  async runTimersOnce(): Promise<void> {
    await this.#parts.timers.runOnce();
  }

  get #parts(): { place: SagaPlace; timers: Timers; waiting: Waiting } {
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
