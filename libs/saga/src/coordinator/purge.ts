/**
 * Forgets sagas that ended long ago, with their log and their idempotency keys.
 *
 * G1 only ended ones: every branch has acknowledged;
 * G2 the mark moves in the same transaction: of a saga that is not younger than it nothing is presumed (U2).
 */
import { timeOf } from '@aura/contracts';
import type { UnitsOfWork, Work } from '@aura/eventing';
import { Loop, statement, type Clock, type Logger, type Next } from '@aura/platform';
import { assertRecalled } from './amnesia-store.js';
import { taskCause } from '../cause.js';

const EVERY_MS = 600_000;
const PER_ROUND = 1_000;
const DAY_MS = 86_400_000;

const ENDED = statement(
  'saga_find_ended',
  `select id from aura.saga where ended_at < $1 order by ended_at limit $2 for update skip locked`,
);
const DELETE = statement(
  'saga_delete',
  `with gone as (delete from aura.saga where id = any($1::uuid[]) returning id)
   delete from aura.saga_log as l using gone where l.saga_id = gone.id`,
);
const MARK = statement(
  'saga_purged_mark',
  `insert into aura.saga_purged as p (mark) values ($1)
       on conflict (id) do update set mark = greatest(p.mark, excluded.mark)`,
);

export interface SagaPurgeOptions {
  readonly units: UnitsOfWork;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Undefined: all are kept. */
  readonly retentionDays: number | undefined;
}

export class SagaPurge {
  readonly #loop: Loop;

  constructor(private readonly options: SagaPurgeOptions) {
    this.#loop = new Loop({
      name: 'saga.purge',
      idleMs: EVERY_MS,
      round: () => this.#round(),
      onError: (err, failures) =>
        options.logger.warn({ err, failures }, 'sagas: ended ones could not be purged, trying again'),
    });
  }

  start(): void {
    if (this.options.retentionDays !== undefined) this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  /** One round. For tests. */
  async runOnce(): Promise<void> {
    await this.#loop.runOnce();
  }

  async #round(): Promise<Next> {
    const { units, clock, retentionDays } = this.options;
    if (retentionDays === undefined) return 'wait';
    const before = new Date(clock.now().getTime() - retentionDays * DAY_MS);
    const gone = await units.run((work) => purge(work, before), taskCause(clock), 'the purge of sagas');
    return gone === PER_ROUND ? 'again' : 'wait';
  }
}

async function purge(work: Work, before: Date): Promise<number> {
  await assertRecalled(work);
  const ids = (await work.run<{ id: string }>(ENDED, [before, PER_ROUND])).map(({ id }) => id);
  if (ids.length === 0) return 0;
  const times = ids.flatMap((id) => timeOf(id)?.getTime() ?? []);
  await work.run(DELETE, [ids]);
  if (times.length > 0) await work.run(MARK, [new Date(Math.max(...times))]); // G2
  return ids.length;
}
