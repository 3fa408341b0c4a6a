import { UnitsOfWork } from '@aura/eventing';
import { Loop, Shutdown, type Logger } from '@aura/platform';
import { CONFIG, LOGGER, type Config } from '@aura/service';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { missingSlots, regionDay } from './domain/slot-calendar.js';
import type { settings } from './settings.js';
import { daysWithSlots, makeSlots, SLOTS_LOCK } from './slot-store.js';

const HOUR_MS = 3_600_000;

/**
 * Makes the slots of the days ahead: at start, before anybody can ask for one, and every hour, in every
 * replica. Repeating it changes nothing; slots that are there are never changed or removed.
 */
@Injectable()
export class SlotUpkeep implements OnModuleInit {
  readonly #loop: Loop;

  constructor(
    private readonly units: UnitsOfWork,
    @Inject(CONFIG) private readonly config: Config<typeof settings>,
    @Inject(LOGGER) logger: Logger,
    private readonly shutdown: Shutdown,
  ) {
    this.#loop = new Loop({
      name: 'delivery.slot-upkeep',
      idleMs: HOUR_MS,
      backoff: { initialMs: 1_000, maxMs: HOUR_MS / 12 },
      round: async () => {
        await this.makeMissing();
        return 'wait';
      },
      onError: (error, failures) => logger.warn({ error, failures }, 'slot upkeep: could not make slots'),
    });
  }

  async onModuleInit(): Promise<void> {
    await this.makeMissing();
    this.#loop.start();
    this.shutdown.add('work', 'slot upkeep', () => this.#loop.stop());
  }

  /** Makes what is missing now; resolves to how many slots that were. */
  makeMissing(): Promise<number> {
    return this.units.run(async (work) => {
      // Two replicas, in a rolling deploy with other settings: the second sees the days of the first (C2).
      await work.lock(SLOTS_LOCK);
      const { regions, slotCapacity } = this.config;
      const days = await daysWithSlots(work, regions, work.now);
      const made = new Set(days.map(({ region, day }) => regionDay(region, day)));
      const missing = missingSlots(work.now, this.config, made);
      await makeSlots(work, missing, slotCapacity);
      return missing.length;
    });
  }
}
