/**
 * Takes back what the log still gives this member, and somebody else has taken in the database.
 *
 * A member that was frozen while it was being assigned a partition raises the epoch when it wakes up, and
 * learns only then that it was expelled. The rightful owner's next unit fails, and the log has no reason to
 * assign it anything again: without this, nobody would do that partition any more (E5).
 *
 * R1 only what the log says is ours, while it counts us among the living: a zombie leaves it alone;
 * R2 after a pause with full jitter, longer each time: two that both believe don't take it from each other
 *    in a busy loop. That is slow at worst, never wrong: units are fenced by epoch (P2);
 * R3 an answer about an assignment that has passed meanwhile is void.
 */
import type { Subscription, TopicPartition } from '@aura/event-log';
import { Loop, type Logger, type Next } from '@aura/platform';
import { backoffMs } from '../tasks/task.js';
import type { OwnedPosition } from './offsets.js';
import { keyOf, type Ownership } from './ownership.js';
import { pause } from './pause.js';

export interface RetakingOptions {
  readonly group: string;
  readonly logger: Logger;
  readonly ownership: Ownership;
  /** Bounds of the pause before each try (ms). */
  readonly backoff: { readonly initialBackoffMs: number; readonly maxBackoffMs: number };
  /** Undefined while it is being joined. */
  subscription(): Subscription | undefined;
  /** Raises the epochs in the database; gives where each partition stands. */
  take(partitions: readonly TopicPartition[]): Promise<readonly OwnedPosition[]>;
}

/** One member's background job: sleeps until something is lost. */
export class Retaking {
  readonly #loop: Loop;
  /** In a row, until nothing has been lost for a while. */
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

  /** Something was lost. */
  nudge(): void {
    this.#loop.nudge();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  async #round(signal: AbortSignal): Promise<Next> {
    const { ownership, backoff } = this.options;
    if (ownership.lost().length === 0) {
      this.#tries = 0;
      return 'wait';
    }
    await pause(backoffMs(++this.#tries, Math.random(), backoff), signal); // R2
    const subscription = this.options.subscription();
    const wanted = ownership.lost().filter((partition) => isOurs(subscription, partition));
    if (subscription && wanted.length > 0 && !signal.aborted) await this.#retake(subscription, wanted);
    return ownership.lost().length > 0 ? 'again' : 'wait';
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
    for (const { topic, partition, offset } of current) subscription.seek({ topic, partition, offset });
    subscription.resume(current.map(({ topic, partition }) => ({ topic, partition })));
    logger.info({ group, partitions: current.length }, 'consumer: partitions taken again');
  }
}

/** R1. */
function isOurs(subscription: Subscription | undefined, partition: TopicPartition): boolean {
  if (!subscription?.healthy()) return false;
  return subscription.assigned().some((held) => keyOf(held) === keyOf(partition));
}
