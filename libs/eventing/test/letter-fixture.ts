import { silentLogger } from '@aura/platform';
import { settled } from '@aura/testing';
import { Handlers, type EventHandler } from '../src/consumer/handlers.js';
import type { LetterLimits } from '../src/letters/letter-limits.js';
import { DeadLetters } from '../src/letters/letter-operations.js';
import { listParked, type ParkedKey } from '../src/letters/letter-list.js';
import type { LetterMetrics } from '../src/letters/metrics.js';
import { redriveTasks } from '../src/letters/redrive-task.js';
import { Redrive, type RedriveContext } from '../src/letters/redrive.js';
import { TaskRunner, type TaskRunnerOptions } from '../src/tasks/task-runner.js';
import type { ConsumerFixture } from './consumer-fixture.js';
import type { HandDrivenLog } from './hand-driven-log.js';

/** Attempts follow each other at once. */
export const AT_ONCE: LetterLimits = { initialBackoffMs: 1, maxBackoffMs: 1 };

/** What became of letters, as the metrics were told. */
export class CountedLetters implements LetterMetrics {
  readonly ends: Record<string, number> = {};
  failures = 0;
  left(end: string, letters: number): void {
    if (letters > 0) this.ends[end] = (this.ends[end] ?? 0) + letters;
  }
  attemptFailed(): void {
    this.failures++;
  }
  changed(): void {}
}

export interface LetterFixture {
  readonly counted: CountedLetters;
  readonly operations: DeadLetters;
  redrive(handlers: readonly EventHandler[], options?: Partial<RedriveContext>): Redrive;
  /** A process that tries parked keys again; `runOnce`. */
  redriver(
    handlers: readonly EventHandler[],
    options?: Partial<RedriveContext>,
    tasks?: Partial<TaskRunnerOptions>,
  ): TaskRunner;
  /** Runs attempts until none is due. */
  redriven(
    handlers: readonly EventHandler[],
    options?: Partial<RedriveContext>,
    tasks?: Partial<TaskRunnerOptions>,
  ): Promise<void>;
  parked(): Promise<ParkedKey[]>;
}

export function letterFixture(service: ConsumerFixture, log: HandDrivenLog): LetterFixture {
  const { group, contracts, registry } = service.events;
  const counted = new CountedLetters();
  const { units, pool } = service;
  const redrive = (handlers: readonly EventHandler[], options: Partial<RedriveContext> = {}): Redrive =>
    new Redrive({
      group,
      contracts,
      registry,
      units,
      handlers: new Handlers(handlers),
      log: log.port,
      logger: silentLogger,
      metrics: counted,
      limits: AT_ONCE,
      ...options,
    });
  const fixture: LetterFixture = {
    counted,
    operations: new DeadLetters({ group, units, logger: silentLogger, metrics: counted }),
    redrive,
    redriver: (handlers, options, tasks) =>
      new TaskRunner({
        handlers: [redriveTasks(redrive(handlers, options))],
        units: options?.units ?? units,
        pool,
        logger: silentLogger,
        ...tasks,
      }),
    async redriven(handlers, options, tasks) {
      const redriver = fixture.redriver(handlers, options, tasks);
      await settled('no attempt is due', async () => {
        await redriver.runOnce();
        const due = await service.rows(`select from aura.task where kind = 'aura.redrive'`);
        return due.length === 0;
      });
    },
    parked: () => listParked(pool, group),
  };
  return fixture;
}
