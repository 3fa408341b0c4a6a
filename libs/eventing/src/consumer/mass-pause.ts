import type { Logger } from '@aura/platform';
import { noteOperation } from '../operations/audit.js';
import type { UnitOfWorkContext } from '../unit-of-work/unit-of-work.js';
import { laneKey, type RefusedDelivery } from './delivery.js';
import { BY_ITSELF, findPause, GroupPausedError, insertPause } from './group-pause.js';
import { MassFailure, type MassFailureLimits } from './mass-failure.js';
import { raiseEpochs } from './offsets.js';
import { transact } from './transact.js';

export interface MassPauseOptions {
  readonly group: string;
  readonly units: UnitOfWorkContext;
  readonly logger: Logger;
  readonly limits?: MassFailureLimits;
}

/**
 * Pauses the group, on every replica, when so many keys fail that it can't be the events' fault (H22). What
 * was parked before that was concluded stays parked; what is in hand then is not, and its position stays.
 */
export class MassPause {
  readonly #failures: MassFailure;

  constructor(private readonly options: MassPauseOptions) {
    this.#failures = new MassFailure(options.limits);
  }

  /** Keys (`laneKey`) of a unit that went through. */
  seen(lanes: readonly string[]): void {
    this.#failures.seen(lanes, performance.now());
  }

  /** Somebody has mended what failed. */
  forget(): void {
    this.#failures.forget();
  }

  /** Throws `GroupPausedError` where the group is paused, by another member or from now on. */
  async beforeParking(refused: readonly RefusedDelivery[]): Promise<void> {
    const { group, units, logger } = this.options;
    const lanes = refused.map(({ record }) => laneKey(record));
    const mass = this.#failures.failed(lanes, performance.now());
    const error = refused.at(-1)?.refusal;
    const pause = await transact(units, `a look before parking for ${group}`, async (client) => {
      if (mass) {
        const reason =
          `${mass.failed} of ${mass.seen} keys failed within a minute, the last one with ` +
          (error instanceof Error ? `${error.name}: ${error.message.slice(0, 300)}` : String(error));
        if (await insertPause(client, group, reason, BY_ITSELF)) {
          await raiseEpochs(client, group);
          await noteOperation(client, 'groups pause', { group }, { reason, by: BY_ITSELF, dryRun: false });
        }
      }
      return findPause(client, group);
    });
    if (!pause) return;
    const paused = new GroupPausedError(group, pause);
    logger.error({ err: paused, group, ...mass }, 'consumer: the group is paused, nothing more is parked');
    throw paused;
  }
}
