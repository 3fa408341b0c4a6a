/**
 * What a coordinator hears, as events of its participants: who may say it, and of which saga.
 *
 * C1 a vote counts only from the topic of its branch's owner (H28): anything else is left out, and logged;
 * C2 a saga that nobody knows is presumed aborted when a participant asks for its decision, and that is
 *    written down before it is said; one that may have been purged is not: an operator is told (unknown.ts);
 * C3 a saga of a version that this replica does not declare (a newer one, in a rolling deploy) is not decided
 *    here: the service's own rows could not follow. Its votes are kept, and the timers of a replica that
 *    declares it conclude from them, 5 s later at most;
 * C4 a saga that can't be stepped keeps no other waiting, though one event answers for both: such answers
 *    are set aside, as tasks.
 */
import type { EventEnvelope, EventType } from '@aura/contracts';
import { HoldError, type AnyTaskHandler, type EventHandler, type Work } from '@aura/eventing';
import type { Logger } from '@aura/platform';
import type { AnySaga, DecidedSaga } from '../definition.js';
import { coordinatorEvents, type CoordinatorEvents } from './announce.js';
import { repliesOf } from './replies.js';
import { HEARD, listenerOf, saidIn, type Said } from './hearing.js';
import { branchOf, UNKNOWN } from './saga-state.js';
import { setAside, setAsideTask } from './set-aside.js';
import { stepAll, type Heard, type Stepped } from './step.js';
import { lockSagas, type KnownSaga } from './store.js';
import { answerUnknown } from './unknown.js';
import { viewOfDecided, type SagaView } from './view.js';

export interface CoordinatorOptions {
  readonly service: string;
  /** All versions that this program knows. */
  readonly definitions: readonly AnySaga[];
  readonly logger: Logger;
  /** Sagas were decided, and it is committed. Must not throw. */
  onDecided(sagas: readonly SagaView[]): void;
}

/** Takes what participants say, and steps the sagas of one service. */
export class Coordinator {
  readonly events: CoordinatorEvents;
  readonly #definitions: Map<string, AnySaga>;
  readonly #owners: readonly string[];

  constructor(private readonly options: CoordinatorOptions) {
    this.events = coordinatorEvents(options.service);
    this.#definitions = new Map(options.definitions.map((saga) => [saga.label, saga]));
    const owners = options.definitions.flatMap(({ branches }) => branches.map(({ type }) => type.service));
    this.#owners = [...new Set(owners)].toSorted();
  }

  get publishes(): readonly EventType[] {
    return Object.values(this.events);
  }

  get subscribes(): readonly EventType[] {
    return this.#owners.flatMap((owner) => HEARD.map((event) => event.by(owner) as unknown as EventType));
  }

  /** One handler for all that participants say: a unit's worth of it is one step. */
  handlers(): EventHandler[] {
    const [type, ...also] = this.subscribes;
    if (!type) return [];
    const handle = (events: readonly EventEnvelope[], work: Work): Promise<void> => this.#hear(events, work);
    // Participants answer all who ask them: most of what they say may be for others.
    const concerns = (event: EventEnvelope): boolean => listenerOf(event) === this.options.service;
    return [{ mode: 'set', type, also, name: 'aura.saga.coordinator', concerns, handle, failed: setAside }];
  }

  tasks(): AnyTaskHandler[] {
    if (this.#owners.length === 0) return [];
    return [setAsideTask((said, work) => this.#take([said], work))];
  }

  /**
   * Steps locked sagas, in the caller's transaction, and lets the service's own rows follow decisions. Throws
   * `HoldError` where that is another replica's (C3).
   */
  async step(sagas: readonly KnownSaga[], heard: readonly Heard[], work: Work): Promise<Stepped[]> {
    const stepped = await stepAll(this.events, sagas, heard, work);
    await this.follow(stepped, work);
    return stepped;
  }

  /** Whether this replica knows what follows a decision of it. */
  declares({ type, version }: { readonly type: string; readonly version: number }): boolean {
    return type === UNKNOWN || this.#definitions.has(labelOf(type, version));
  }

  /** All versions that this replica knows. */
  get labels(): readonly string[] {
    return [...this.#definitions.keys()];
  }

  /** What follows decisions, in their transaction: the service's own rows, and who waits for them. */
  async follow(stepped: readonly Stepped[], work: Work): Promise<void> {
    const decided = stepped.filter((step) => step.decided);
    if (decided.length === 0) return;
    const foreign = decided.find(({ saga }) => !this.declares(saga)); // C3
    if (foreign) throw undeclared(foreign.saga);
    for (const [label, group] of Map.groupBy(decided, ({ saga }) => labelOf(saga.type, saga.version)))
      await this.#definitions.get(label)?.whenDecided?.(group.map(decidedOf), work);
    work.afterCommit(() => this.options.onDecided(decided.map((step) => viewOfDecided(step, work.now))));
  }

  async #hear(events: readonly EventEnvelope[], work: Work): Promise<void> {
    const mine = events.filter((event) => listenerOf(event) === this.options.service);
    if (mine.length > 0) await this.#take(mine.flatMap(saidIn), work);
  }

  async #take(mine: readonly Said[], work: Work): Promise<void> {
    const ids = [...new Set(mine.map(({ sagaId }) => sagaId))].toSorted();
    const sagas = await lockSagas(work, ids);
    const known = new Map(sagas.map((saga) => [saga.id, saga]));
    const heard = mine.filter((said) => this.#counts(said, known.get(said.sagaId)));
    await this.follow(await stepAll(this.events, sagas, heard, work, (saga) => this.declares(saga)), work);
    const asked = mine.filter((said) => {
      const saga = known.get(said.sagaId);
      return isQuestion(said) && (!saga || saga.type === UNKNOWN);
    });
    if (asked.length > 0) await answerUnknown(this.events, asked, work, this.options.logger);
  }

  /** C1. */
  #counts(said: Said, saga: KnownSaga | undefined): boolean {
    const { sagaId, branch, branchType, topic, cause } = said;
    if (!saga) return false;
    const known = branchOf(saga.state, branch);
    // What is unknown answers elsewhere; of what it presumed it follows nothing.
    if (saga.type === UNKNOWN && (!known || isQuestion(said))) return false;
    const owner = known?.type === branchType ? known.owner : undefined;
    if (owner !== undefined && topic === `${owner}.events`) return true;
    this.options.logger.error(
      { sagaId, branch, branchType, topic, eventId: cause?.id },
      'sagas: an answer did not come from the owner of its branch, left out',
    );
    return false;
  }
}

function labelOf(type: string, version: number): string {
  return `${type} v${version}`;
}

function undeclared({ id, type, version }: KnownSaga): HoldError {
  return new HoldError(
    `saga ${id} is ${labelOf(type, version)}, which this replica does not declare: ask one that does`,
  );
}

function isQuestion({ event }: Said): boolean {
  return event.type === 'decision-asked';
}

function decidedOf({ saga, next }: Stepped): DecidedSaga {
  return {
    id: saga.id,
    committed: next.phase === 'COMMITTING' || next.phase === 'COMMITTED',
    why: next.phase === 'ABORTING' || next.phase === 'ABORTED' ? next.why : null,
    replies: repliesOf(next),
  };
}
