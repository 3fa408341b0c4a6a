import { Loop, type Logger } from '@aura/platform';
import type { UnitOfWorkContext } from '../unit-of-work/unit-of-work.js';
import { epochsOf, savePositions, StaleOwnerError, type OwnedPosition } from './offsets.js';
import { keyOf, type Ownership } from './ownership.js';
import { transact } from './transact.js';

export interface GroupWatchOptions {
  readonly group: string;
  readonly units: UnitOfWorkContext;
  readonly logger: Logger;
  readonly ownership: Ownership;
  readonly everyMs: number;
  /** Somebody else raised the epochs of these. */
  onLost(error: StaleOwnerError, positions: readonly OwnedPosition[]): void;
}

/**
 * What a member does now and then: it saves positions of records that nobody wanted (M3), and sees whether
 * its epochs still hold, also where nothing arrives: an operator who moves, pauses or resumes the group
 * raises them (P6). One transaction per round; none while nothing is held, or gone.
 */
export class GroupWatch {
  readonly #loop: Loop;

  constructor(private readonly options: GroupWatchOptions) {
    const { group, logger, everyMs } = options;
    this.#loop = new Loop({
      name: `consumer watch of ${group}`,
      idleMs: everyMs,
      round: async () => {
        await this.#round();
        return 'wait';
      },
      onError: (err) => logger.warn({ err, group }, 'consumer: positions not saved yet, trying again'),
    });
  }

  start(): void {
    this.#loop.start();
  }

  /** Somebody in this process has changed the group. */
  nudge(): void {
    this.#loop.nudge();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  async #round(): Promise<void> {
    const { units, group, ownership } = this.options;
    if (ownership.assigned().length === 0 && ownership.stalled().length === 0) return;
    const positions = ownership.unsaved();
    try {
      const epochs = await transact(units, `positions of ${group}`, async (client) => {
        if (positions.length > 0) await savePositions(client, group, positions);
        return epochsOf(client, group);
      });
      ownership.saved(positions);
      ownership.forgetTaken(epochs);
      this.#lose(ownership.overtaken(epochs));
    } catch (error) {
      if (!(error instanceof StaleOwnerError)) throw error;
      const lost = new Set(error.partitions.map(keyOf));
      this.#lose(positions.filter((position) => lost.has(keyOf(position))));
    }
  }

  #lose(lost: readonly OwnedPosition[]): void {
    if (lost.length > 0) this.options.onLost(new StaleOwnerError(lost), lost);
  }
}
