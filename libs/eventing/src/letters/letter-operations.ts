import { newEventId } from '@aura/contracts';
import { TerminalError, type Logger } from '@aura/platform';
import type { Lane } from '../consumer/delivery.js';
import { inUnit } from '../consumer/unit.js';
import { noteOperation } from '../operations/audit.js';
import type {
  Change,
  Letter,
  LetterCount,
  LetterOperations,
  LetterSelection,
} from '../operations/operations.js';
import { insertTasks } from '../tasks/task-store.js';
import type { UnitOfWork, UnitOfWorkContext } from '../unit-of-work/unit-of-work.js';
import { findLetter, listParked, pickParked, showLetters, type ParkedKey } from './letter-list.js';
import {
  countLetters,
  forgetAttempts,
  lockMark,
  removeLetters,
  setNextAttempt,
  startOver,
} from './letter-store.js';
import type { LetterMetrics } from './metrics.js';
import { redriveTask } from './redrive-task.js';

/** Keys that one transaction of a redrive by selection takes. */
const KEYS_PER_STEP = 100;
/** Keys of one redrive by selection, where no limit is given: more than a group may have letters. */
const DEFAULT_KEYS = 100_000;

export interface DeadLettersOptions {
  readonly group: string;
  readonly units: UnitOfWorkContext;
  readonly logger: Logger;
  readonly metrics: Pick<LetterMetrics, 'left' | 'changed'>;
}

/** No such letter: it may have come through meanwhile. */
export class NoSuchLetterError extends TerminalError {}

/**
 * The dead letters of one group, for its operators.
 *
 * Guarantees: each change is one transaction with what is written down of it (O1); a dry run executes the
 * same statements and rolls back (O2). Limits: a redrive by selection is a transaction per 100 keys, so one
 * that is interrupted has redriven the keys that were noted, and can be asked for again.
 */
export class DeadLetters implements LetterOperations {
  constructor(private readonly options: DeadLettersOptions) {}

  list(selection: LetterSelection, limit: number): Promise<readonly ParkedKey[]> {
    const { units, group } = this.options;
    return inUnit(units, ({ client }) => listParked(client, group, limit, selection));
  }

  show(topic: string, key: string, limit: number): Promise<readonly Letter[]> {
    const { units, group } = this.options;
    return inUnit(units, ({ client }) => showLetters(client, group, { topic, key }, limit));
  }

  async redrive(selection: LetterSelection, change: Change, limit = DEFAULT_KEYS): Promise<LetterCount> {
    let total: LetterCount = { keys: 0, letters: 0 };
    let after: Lane = { topic: '', key: '' };
    for (let left = limit; left > 0; left -= KEYS_PER_STEP) {
      const picked = await this.#redriveStep(selection, change, after, Math.min(left, KEYS_PER_STEP));
      total = {
        keys: total.keys + picked.length,
        letters: total.letters + picked.reduce((sum, { letters }) => sum + letters, 0),
      };
      const last = picked.at(-1);
      if (!last || picked.length < KEYS_PER_STEP) break;
      after = last;
    }
    return total;
  }

  async #redriveStep(selection: LetterSelection, change: Change, after: Lane, limit: number) {
    const { units, group, metrics } = this.options;
    return inUnit(units, async (unit) => {
      const { client } = unit;
      const picked = await pickParked(client, group, selection, after, limit);
      if (picked.length === 0) return picked;
      const tasks = picked.map((lane) => redriveTask(lane, newEventId(unit.now), unit.now));
      await forgetAttempts(client, group, picked);
      await startOver(
        client,
        group,
        picked,
        tasks.map(({ id }) => id),
      );
      await insertTasks(client, tasks);
      const letters = picked.reduce((sum, lane) => sum + lane.letters, 0);
      const subject = { group, selection, after, keys: picked.length, letters };
      await noteOperation(client, 'dead-letters redrive', subject, change);
      if (change.dryRun) return picked;
      await unit.commit(`a redrive of dead letters of ${group}`);
      units.onCommitted({ events: 0, tasks: tasks.length });
      metrics.changed();
      return picked;
    });
  }

  async discard(topic: string, key: string, eventId: string, change: Change): Promise<LetterCount> {
    const { units, group, logger, metrics } = this.options;
    const lane = { topic, key };
    return inUnit(units, async (unit) => {
      const { client } = unit;
      const mark = await lockMark(client, group, lane);
      const letter = mark && (await findLetter(client, group, lane, eventId));
      if (!letter)
        throw new NoSuchLetterError(
          `no letter of event ${eventId} waits under key ${key} of ${topic}: it may have come through; ` +
            'list what waits with `npm run aura -- dead-letters show`',
        );
      const free = await removeLetters(client, group, lane, [letter.id]);
      const goesOn = letter.head && !free;
      if (goesOn) await this.#tryNext(unit, lane);
      const { type, partition, offset } = letter;
      const subject = { group, topic, key, eventId, type, partition, offset };
      await noteOperation(client, 'dead-letters discard', subject, change);
      if (change.dryRun) return { keys: 1, letters: 1 };
      await unit.commit(`a discard of a dead letter of ${group}`, () => [countLetters(client, group, -1)]);
      if (goesOn) units.onCommitted({ events: 0, tasks: 1 });
      metrics.left('discarded', 1);
      logger.warn({ ...subject, reason: change.reason, by: change.by }, 'letters: an event was discarded');
      return { keys: 1, letters: 1 };
    });
  }

  /** What waited behind a head that is gone goes on. */
  async #tryNext({ client, now }: UnitOfWork, lane: Lane): Promise<void> {
    const task = redriveTask(lane, newEventId(now), now);
    await setNextAttempt(client, this.options.group, lane, task.id);
    await insertTasks(client, [task]);
  }
}
