import { codeOf, Loop, type Logger } from '@aura/platform';
import type { UnitOfWorkContext } from '../unit-of-work/unit-of-work.js';
import { inboxDays, type InboxDay } from './inbox-days.js';
import { lockDays, makeDay, missingDays } from './inbox.js';
import { transact } from './transact.js';

const HOUR_MS = 3_600_000;
/** Days made ahead: for how long making them may fail before new ids go to the DEFAULT partition. */
const DAYS_AHEAD = 7;

/** Keeps the inbox's days made ahead: once before the first unit, then hourly. Harmless on every replica. */
export class InboxUpkeep {
  readonly #loop: Loop;
  #ready: Promise<unknown> | undefined;

  constructor(
    private readonly units: UnitOfWorkContext,
    private readonly logger: Logger,
  ) {
    this.#loop = new Loop({
      name: 'inbox days',
      idleMs: HOUR_MS,
      round: async () => {
        await this.#makeDays();
        return 'wait';
      },
      onError: (err) => logger.warn({ err }, 'inbox: a day could not be made, trying again'),
      backoff: { initialMs: 1_000, maxMs: 60_000 },
    });
  }

  /** Resolves when the days are there; rejects while the database is away: call again. */
  async ready(): Promise<void> {
    this.#ready ??= this.#loop.runOnce();
    try {
      await this.#ready;
    } catch (error) {
      this.#ready = undefined;
      throw error;
    }
  }

  start(): void {
    this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  async #makeDays(): Promise<void> {
    const days = inboxDays(this.units.clock.now(), DAYS_AHEAD);
    const missing = await transact(this.units, 'a look at the inbox', (client) => missingDays(client, days));
    for (const day of missing) await this.#makeDay(day);
  }

  /** A transaction per day: what one finds in its way keeps no other from being made. */
  async #makeDay(day: InboxDay): Promise<void> {
    try {
      await transact(this.units, `the making of ${day.name}`, async (client) => {
        await lockDays(client);
        if ((await missingDays(client, [day])).length > 0) await makeDay(client, day);
      });
    } catch (error) {
      // Dedupe works the same there; only the cleaning of these rows goes by their arrival time.
      if (codeOf(error) !== '23514') throw error;
      this.logger.warn(
        { day: day.name },
        'inbox: the DEFAULT partition holds ids of this day: they stay there',
      );
    }
  }
}
