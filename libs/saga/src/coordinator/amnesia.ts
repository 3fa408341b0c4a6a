/**
 * A coordinator whose database went back (E10, H11) takes back from its own topic what it had decided, before
 * it decides or says anything else.
 *
 * A1 until the database as it is now was compared with the topic, no saga is stepped, no timer is looked at
 *    and no question is answered: the statements that lock sagas find none (`RECALLED`), in every replica;
 * A2 what the topic has and the database does not is folded as the facts that it was raised for, without
 *    being raised again; the service's own rows follow (`WhenDecided`);
 * A3 only when all of it is folded is anything concluded from it: a saga whose further asks are gone is
 *    aborted, one that was committed is finished;
 * A4 done twice, by two replicas or after a crash in the middle, it is done once.
 */
import type { EventEnvelope, EventType } from '@aura/contracts';
import type { Finding, UnitsOfWork, Work } from '@aura/eventing';
import { ConflictError, Loop, type Clock, type Logger, type Next } from '@aura/platform';
import type { AnySaga } from '../definition.js';
import { begunAgain, factsOf, type SaidByUs } from './amnesia-fold.js';
import { isRecalled, setRecalled } from './amnesia-store.js';
import { taskCause } from '../cause.js';
import type { Coordinator } from './coordinator.js';
import { evolve, isDecided, type Fact, type SagaState } from './saga-state.js';
import type { Stepped } from './step.js';
import { planOf } from './saga-row.js';
import { insertSagas, lockKnown, writeSteps, type KnownSaga, type NewSaga } from './store.js';

/** How soon a way back that nobody has run into is seen (ms). */
const IDLE_MS = 5_000;
/** Sagas that are concluded in one transaction. */
const AT_ONCE = 200;

export interface AmnesiaOptions {
  readonly coordinator: Coordinator;
  readonly definitions: readonly AnySaga[];
  readonly units: UnitsOfWork;
  /** What this service has published of `types`, and its database does not know. */
  readonly forgotten: (types: readonly EventType[]) => AsyncIterable<readonly EventEnvelope[]>;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class Amnesia {
  readonly #loop: Loop;
  readonly #definitions: ReadonlyMap<string, AnySaga>;
  /** What the last look said; undefined: it went well. */
  #why: string | undefined = 'it has not been looked at yet';

  constructor(private readonly options: AmnesiaOptions) {
    this.#definitions = new Map(options.definitions.map((saga) => [saga.label, saga]));
    this.#loop = new Loop({
      name: 'sagas taken back',
      idleMs: IDLE_MS,
      round: () => this.#round(),
      onError: (error) => {
        this.#why = error instanceof Error ? error.message : String(error);
        options.logger.warn({ err: error }, 'sagas: wait; they could not be compared with the topic yet');
      },
    });
  }

  start(): void {
    this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  /** Compares now, where that is needed; rejects where it can't be done. */
  async takeBack(): Promise<void> {
    await this.#loop.runOnce();
  }

  /** Why sagas wait, for readiness; undefined where they don't. */
  get waits(): string | undefined {
    return this.#why;
  }

  findings(): readonly Finding[] {
    if (this.#why === undefined) return [];
    return [
      {
        code: 'sagas-wait',
        severity: 'warning',
        subject: 'the sagas of this service',
        words:
          'nothing is decided until the database was compared with what the service has published ' +
          `(${this.#why}): it goes on by itself`,
        command: undefined,
      },
    ];
  }

  async #round(): Promise<Next> {
    if (!(await this.#unit(isRecalled))) {
      this.#why = 'it is being compared';
      await this.#takeBack();
    }
    this.#why = undefined;
    return 'wait';
  }

  async #takeBack(): Promise<void> {
    const { coordinator, forgotten, logger } = this.options;
    const touched = new Set<string>();
    if (this.#definitions.size > 0)
      for await (const events of forgotten(coordinator.publishes)) {
        if (events.length === 0) continue;
        const own = events as readonly EventEnvelope<SaidByUs>[];
        await this.#unit((work) => this.#fold(own, work)); // A2
        for (const { payload } of own) touched.add(payload.sagaId);
      }
    const ids = [...touched];
    for (let at = 0; at < ids.length; at += AT_ONCE)
      await this.#unit((work) => this.#conclude(ids.slice(at, at + AT_ONCE).toSorted(), work)); // A3
    await this.#unit(setRecalled); // A1
    if (ids.length > 0)
      logger.error({ sagas: ids.length }, 'sagas: the database went back; what was decided was taken back');
  }

  async #fold(events: readonly EventEnvelope<SaidByUs>[], work: Work): Promise<void> {
    const { coordinator } = this.options;
    const at = work.now.getTime();
    const bySaga = Map.groupBy(events, ({ payload }) => payload.sagaId);
    const known = new Map((await lockKnown(work, [...bySaga.keys()].toSorted())).map((of) => [of.id, of]));
    const steps: Stepped[] = [];
    for (const [id, own] of bySaga) {
      const saga = known.get(id);
      if (saga) steps.push(...folded(saga, own, at));
      else steps.push(...(await this.#insert(own, work)));
    }
    await writeSteps(
      work,
      steps.filter(({ saga }) => saga.revision > 0),
      work.now,
    );
    const foreign = steps.filter(({ saga, decided }) => decided && !coordinator.declares(saga));
    for (const { saga } of foreign)
      this.options.logger.error(
        { sagaId: saga.id, type: saga.type, version: saga.version },
        "sagas: a decision was taken back whose version is not declared: the service's rows did not follow",
      );
    await coordinator.follow(
      steps.filter((step) => !foreign.includes(step)),
      work,
    );
  }

  /** A saga that this database does not know at all. */
  async #insert(events: readonly EventEnvelope<SaidByUs>[], work: Work): Promise<Stepped[]> {
    const at = work.now.getTime();
    for (const [index, event] of events.entries()) {
      const saga = begunAgain(event, this.#definitions, at);
      if (!saga) continue;
      const { next, facts } = foldAll(saga.state, events.slice(index), at);
      const row: NewSaga = { ...saga, state: next, facts: [...saga.facts, ...facts] };
      if (!(await insertSagas(work, [row], work.now)).has(row.id))
        throw new ConflictError(`saga ${saga.id} was taken back by another replica meanwhile: look again`);
      return [
        {
          saga: { ...saga, plan: planOf(next), startedAt: work.now },
          next,
          facts: row.facts,
          decided: isDecided(next),
        },
      ];
    }
    return [];
  }

  /** A3. */
  async #conclude(ids: readonly string[], work: Work): Promise<void> {
    const sagas = await lockKnown(work, ids);
    const heard = sagas.map(({ id, state, later }) => {
      const waiting = state.branches.filter((branch) => branch.state === 'WAITING' && !later[branch.name]);
      return { sagaId: id, event: { type: 'recalled', lost: waiting.map(({ name }) => name) } as const };
    });
    await this.options.coordinator.step(sagas, heard, work);
  }

  #unit<T>(fn: (work: Work) => Promise<T>): Promise<T> {
    const { units, clock } = this.options;
    return units.run(fn, taskCause(clock), 'sagas taken back');
  }
}

function folded(saga: KnownSaga, events: readonly EventEnvelope<SaidByUs>[], at: number): Stepped[] {
  const { next, facts } = foldAll(saga.state, events, at);
  if (facts.length === 0) return [];
  const decided = !isDecided(saga.state) && isDecided(next);
  return [{ saga, next, facts: [{ fact: 'recalled' }, ...facts], decided }];
}

function foldAll(
  state: SagaState,
  events: readonly EventEnvelope<SaidByUs>[],
  at: number,
): { readonly next: SagaState; readonly facts: readonly Fact[] } {
  const facts: Fact[] = [];
  let next = state;
  for (const event of events) {
    const more = factsOf(next, event);
    next = evolve(next, more, at);
    facts.push(...more);
  }
  return { next, facts };
}
