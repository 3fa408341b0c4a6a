/**
 * The one door through which a partition that stands still comes back: it is taken again in the database,
 * which says where it goes on and whether it may (assignment.ts).
 *
 * What comes here by itself: a partition whose epoch somebody raised (a member that was frozen while it was
 * being assigned the partition, and learns only later that it was expelled; or an operator who moved, paused
 * or resumed the group), and one that is held back by what passes (no room for letters, a schema that can't
 * be asked for). Without it nobody would do that partition any more (E5): the log has no reason to assign it
 * again.
 *
 * R1 only what the log says is ours, while it counts us among the living: a zombie leaves it alone;
 * R2 after a pause with full jitter, longer each time: two that both believe don't take it from each other
 *    in a busy loop, and what is held back is not tried in one either. That is slow at worst, never wrong:
 *    units are fenced by epoch (P2);
 * R3 an answer about an assignment that has passed meanwhile is void.
 */
import type { Subscription, TopicPartition } from '@aura/event-log';
import { Loop, type Logger, type Next } from '@aura/platform';
import { backoffMs } from '../tasks/task.js';
import type { OwnedPosition } from './offsets.js';
import { keyOf, type Assigned, type Ownership } from './ownership.js';
import { pause } from './pause.js';

export interface RetakingOptions {
  readonly group: string;
  readonly logger: Logger;
  readonly ownership: Ownership;
  /** Bounds of the pause before each try (ms). */
  readonly backoff: { readonly initialBackoffMs: number; readonly maxBackoffMs: number };
  /** Undefined while it is being joined. */
  subscription(): Subscription | undefined;
  /** Raises the epochs in the database; gives where each partition stands, and whether it may go on. */
  take(partitions: readonly TopicPartition[]): Promise<readonly Assigned[]>;
}

/** One member's background job: sleeps until something stands still. */
export class Retaking {
  readonly #loop: Loop;
  /** In a row, until nothing has stood still for a while. */
  #tries = 0;

  constructor(private readonly options: RetakingOptions) {
    const { group, logger, backoff } = options;
    this.#loop = new Loop({
      name: `consumer retaking of ${group}`,
      idleMs: backoff.maxBackoffMs,
      round: (signal) => this.#round(signal),
      onError: (err) => logger.warn({ err, group }, 'consumer: partitions not taken again yet'),
      backoff: { initialMs: backoff.initialBackoffMs, maxMs: backoff.maxBackoffMs },
    });
  }

  start(): void {
    this.#loop.start();
  }

  /** Something stands still. */
  nudge(): void {
    this.#loop.nudge();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  async #round(signal: AbortSignal): Promise<Next> {
    const { ownership, backoff } = this.options;
    if (ownership.returning().length === 0) {
      this.#tries = 0;
      return 'wait';
    }
    await pause(backoffMs(++this.#tries, Math.random(), backoff), signal); // R2
    const subscription = this.options.subscription();
    const wanted = ownership.returning().filter((partition) => isOurs(subscription, partition));
    if (subscription && wanted.length > 0 && !signal.aborted) await this.#retake(subscription, wanted);
    return ownership.returning().length > 0 ? 'again' : 'wait';
  }

  async #retake(subscription: Subscription, wanted: readonly OwnedPosition[]): Promise<void> {
    const { ownership, logger, group } = this.options;
    const before = new Map(wanted.map((lost) => [keyOf(lost), lost]));
    const taken = await this.options.take(wanted.map(({ topic, partition }) => ({ topic, partition })));
    // R3
    const current = taken.filter((position) => {
      const lost = before.get(keyOf(position));
      return lost && ownership.holds(lost) && isOurs(subscription, position);
    });
    ownership.take(current);
    const flowing = current.filter(({ standing }) => standing === undefined);
    for (const { topic, partition, offset } of flowing) subscription.seek({ topic, partition, offset });
    subscription.resume(flowing.map(({ topic, partition }) => ({ topic, partition })));
    logger.info({ group, partitions: flowing.length }, 'consumer: partitions taken again');
  }
}

/** R1. */
function isOurs(subscription: Subscription | undefined, partition: TopicPartition): boolean {
  if (!subscription?.healthy()) return false;
  return subscription.assigned().some((held) => keyOf(held) === keyOf(partition));
}
