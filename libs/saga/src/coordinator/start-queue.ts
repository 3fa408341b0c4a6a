/**
 * Group commit for starts: all that is wanted while a transaction is under way goes into the next one. At one
 * caller it is a transaction per start; at many it is a transaction for all of them.
 */
import type { UnitsOfWork, Work } from '@aura/eventing';
import { asError, GroupCommit, kindOf, TransientError, type Clock } from '@aura/platform';
import type { AnySaga, Saga } from '../definition.js';
import type { PlannedStart, StartedSaga, Starting, StartOptions } from './starting.js';

/** More than these do not wait: their callers try again. */
const MAX_WAITING = 10_000;

/** A saga that has just been started, for the rows that its service writes beside it. */
export interface BegunSaga<I extends object = object> {
  readonly id: string;
  readonly input: I;
}

/**
 * In the transaction of the start: the service's own rows that belong to it. Set-based, one call for all new
 * sagas of this transaction. Where it throws, each start is tried by itself.
 */
export type WhenBegun<I extends object> = (sagas: readonly BegunSaga<I>[], work: Work) => Promise<void>;

interface Wanted {
  readonly saga: AnySaga;
  readonly input: object;
  readonly planned: PlannedStart;
}

export class StartQueue {
  readonly #wanted = new GroupCommit<Wanted, StartedSaga>((some) => this.#start(some));

  constructor(
    private readonly starting: Starting,
    private readonly units: UnitsOfWork,
    private readonly clock: Clock,
  ) {}

  /** Resolves when it is committed. Rejects with what `Starting.plan` throws, and with `ConflictError`. */
  async add<I extends object>(saga: Saga<I>, input: I, options: StartOptions): Promise<StartedSaga> {
    if (this.#wanted.waiting >= MAX_WAITING)
      throw new TransientError(`${MAX_WAITING} starts of sagas wait to be written: try again`);
    const planned = this.starting.plan(saga, input, options, this.clock.now());
    return this.#wanted.add({ saga, input, planned });
  }

  async #start(some: readonly Wanted[]): Promise<(StartedSaga | Error)[]> {
    try {
      return await this.units.run((work) => this.#write(some, work), undefined, 'starts of sagas');
    } catch (error) {
      // What passes is nobody's fault, and a COMMIT of unknown outcome must not be tried again. Of anything
      // else, whose fault it was is found by trying each alone.
      if (some.length === 1 || kindOf(error) === 'transient') throw error;
      const outcomes: (StartedSaga | Error)[] = [];
      for (const one of some) {
        const alone = this.#start([one]).catch((own: unknown) => [asError(own)]);
        outcomes.push(...(await alone));
      }
      return outcomes;
    }
  }

  async #write(some: readonly Wanted[], work: Work): Promise<(StartedSaga | Error)[]> {
    const outcomes = await this.starting.startAll(
      work,
      some.map(({ planned }) => planned),
    );
    const fresh = some.filter((_, i) => isNew(outcomes[i]));
    for (const [{ whenBegun }, group] of Map.groupBy(fresh, ({ saga }) => saga))
      await whenBegun?.(
        group.map(({ planned, input }) => ({ id: planned.row.id, input: input as never })),
        work,
      );
    return outcomes;
  }
}

function isNew(outcome: StartedSaga | Error | undefined): boolean {
  return outcome !== undefined && !(outcome instanceof Error) && outcome.isNew;
}
