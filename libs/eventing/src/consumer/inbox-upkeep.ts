import { codeOf, InvariantError, Loop, type Logger, type Next, type Queryable } from '@aura/platform';
import type { Finding } from '../operations/operations.js';
import { DaysMetrics } from '../outbox/days-metrics.js';
import type { UnitOfWorkContext } from '../unit-of-work/unit-of-work.js';
import { forgettableDays, inboxDays, type InboxDay } from './inbox-days.js';
import { forgetDay, forgetDefault, lockDays, makeDay, missingDays, partitions } from './inbox.js';
import { MIN_RETENTION_DAYS } from './low-water-rules.js';
import { transact } from './transact.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** Days made ahead: for how long making them may fail before new ids go to the DEFAULT partition. */
const DAYS_AHEAD = 7;
/** Fewer days than this ahead is an alarm. */
const ALARM_DAYS = 2;
/** Ids of the DEFAULT partition that one transaction forgets, and transactions of one round. */
const STEP_IDS = 5_000;
const STEPS = 10;
/** A day that is in use, or ids that are left, are tried again after this long. */
const AGAIN_MS = 60_000;

export const DEFAULT_INBOX_RETENTION_DAYS = 14;

/**
 * Keeps the inbox's days made ahead, once before the first unit, then hourly; and forgets what arrived before
 * the retention, whole days at a time. Harmless on every replica.
 */
export class InboxUpkeep {
  readonly #loop: Loop;
  readonly #metrics: DaysMetrics;
  #ready: Promise<unknown> | undefined;

  /** `group` names it in metrics. Throws `InvariantError` for a retention below a day. */
  constructor(
    group: string,
    private readonly units: UnitOfWorkContext,
    private readonly logger: Logger,
    private readonly retentionDays = DEFAULT_INBOX_RETENTION_DAYS,
  ) {
    this.#metrics = new DaysMetrics('inbox', group);
    if (retentionDays < MIN_RETENTION_DAYS)
      throw new InvariantError(`an inbox has to remember ids for a day at least, not ${retentionDays} days`);
    this.#loop = new Loop({
      name: 'inbox days',
      idleMs: HOUR_MS,
      round: async () => {
        await this.#makeDays();
        return this.#forget();
      },
      onError: (err) => logger.warn({ err }, 'inbox: its days could not be looked after, trying again'),
      backoff: { initialMs: 1_000, maxMs: 60_000 },
    });
  }

  /** Resolves when the days are there; rejects while the database is away: call again. */
  async ready(): Promise<void> {
    this.#ready ??= this.#makeDays();
    try {
      await this.#ready;
    } catch (error) {
      this.#ready = undefined;
      throw error;
    }
  }

  start(): void {
    this.#metrics.start();
    this.#loop.start();
  }

  async stop(): Promise<void> {
    this.#metrics.stop();
    await this.#loop.stop();
  }

  /** One round, now: for tests. */
  async runOnce(): Promise<Next> {
    return this.#loop.runOnce();
  }

  async #makeDays(): Promise<void> {
    const days = inboxDays(this.units.clock.now(), DAYS_AHEAD);
    const missing = await transact(this.units, 'a look at the inbox', (client) => missingDays(client, days));
    for (const day of missing) await this.#makeDay(day);
    this.#metrics.madeAhead(DAYS_AHEAD);
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

  /** W1. A transaction per day, and per step of the DEFAULT partition. */
  async #forget(): Promise<Next> {
    const { names, now } = await transact(this.units, 'a look at the inbox', partitions);
    const days = forgettableDays(names, now, this.retentionDays);
    const oldest = days[0] ? now.getTime() - days[0].endsAt.getTime() - this.retentionDays * DAY_MS : 0;
    this.#metrics.kept([{ overdueDays: Math.floor(oldest / DAY_MS) }]);
    try {
      for (const day of days) {
        await transact(this.units, `the forgetting of ${day.name}`, (client) => forgetDay(client, day));
        this.logger.info({ day: day.name }, 'inbox: forgot a day; replays of it can’t be judged any more');
      }
      this.#metrics.kept([]);
    } catch (error) {
      if (codeOf(error) !== '55P03') throw error; // lock_not_available: a unit is under way
      this.logger.debug({ err: error }, 'inbox: a day is in use, forgetting it later');
      return { afterMs: AGAIN_MS };
    }
    for (let step = 0; step < STEPS; step++) {
      const forgotten = await transact(this.units, 'the forgetting of old ids', (client) =>
        forgetDefault(client, this.retentionDays, STEP_IDS),
      );
      if (forgotten < STEP_IDS) return 'wait';
    }
    return { afterMs: AGAIN_MS };
  }
}

/** What an operator should know of the inbox: days that are missing soon, and days that stay too long. */
export async function inboxFindings(
  db: Queryable,
  retentionDays = DEFAULT_INBOX_RETENTION_DAYS,
): Promise<Finding[]> {
  const { names, now } = await partitions(db);
  const missing = inboxDays(now, ALARM_DAYS).filter(({ name }) => !names.includes(name));
  const stuck = forgettableDays(names, new Date(now.getTime() - DAY_MS), retentionDays);
  return [
    ...missing.map(({ name }) =>
      finding(
        'inbox-day-missing',
        name,
        'is not there: ids of that day go to the DEFAULT partition, where they are forgotten row by row. A ' +
          'running service makes it hourly and at its start: its log says what keeps it from doing so',
      ),
    ),
    ...stuck.map(({ name }) =>
      finding(
        'inbox-retention-stuck',
        name,
        `is more than a day past the retention of ${retentionDays} days: end the oldest transactions of ` +
          'this database (pg_stat_activity, by xact_start), they keep it from being dropped',
      ),
    ),
  ];
}

const finding = (code: string, table: string, words: string): Finding => ({
  code,
  severity: 'warning',
  subject: `aura.${table}`,
  words,
  command: undefined,
});
