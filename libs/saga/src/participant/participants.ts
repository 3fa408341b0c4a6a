/** The participant side of one service: its branch types, and what does them. */
import type { EventType } from '@aura/contracts';
import type {
  AnyTaskHandler,
  EventHandler,
  Finding,
  RefusedRecord,
  SetHandler,
  UnitsOfWork,
  Work,
} from '@aura/eventing';
import { asError, type Clock, type Logger } from '@aura/platform';
import type { Pool } from 'pg';
import { Alarms } from './alarms.js';
import { Asking } from './asking.js';
import { AsksOfUnit } from './asks-of-unit.js';
import { askNow } from './barrier-store.js';
import { branchWork } from './branch-work.js';
import { branchFindings } from './findings.js';
import { incomingTypes } from './incoming.js';
import { Intents, type IntentContext } from './intents.js';
import { KnownBranches, type ParticipantEntry } from './known-branches.js';
import { Purging } from './purging.js';

export interface ParticipantsOptions {
  readonly service: string;
  readonly participants: readonly ParticipantEntry[];
  readonly units: UnitsOfWork;
  readonly pool: Pool;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How old a yes gets before it asks for its decision (ms). Default 10,000. */
  readonly askAfterMs?: number;
  /** How long a hold, or the work of a decision, waits before it is a finding (ms). Default 120,000. */
  readonly attentionAfterMs?: number;
  /** How long the service's inbox remembers (days): an ended branch is remembered a day longer. */
  readonly inboxDays: number;
}

/**
 * Handlers and tasks that carry out what coordinators ask of this service.
 *
 * Guarantees: each branch is prepared at most once, and never after a cancel; committed or cancelled once,
 * and only after a yes; answered again when asked again (barrier.ts). Nothing of it becomes a dead letter.
 */
export class Participants {
  readonly #context: IntentContext;
  readonly #asking: Asking;
  readonly #purging: Purging;
  readonly #attentionAfterMs: number;

  /** Throws `InvariantError` for a branch type of another service, for two of one type, for a wrong kind. */
  constructor(options: ParticipantsOptions) {
    const { service, participants, logger, clock, pool, units } = options;
    const { askAfterMs = 10_000, inboxDays, attentionAfterMs = 120_000 } = options;
    this.#asking = new Asking({ units, pool, clock, logger, service, askAfterMs });
    this.#purging = new Purging({ pool, clock, logger, rememberDays: inboxDays + 1 });
    this.#attentionAfterMs = attentionAfterMs;
    this.#context = {
      branches: new KnownBranches(service, participants),
      service,
      alarms: new Alarms(service, logger),
      logger,
      clock,
      pool,
      askAfterMs,
      onHeld: (at) => this.#asking.expect(at),
    };
  }

  /** What it reads. */
  get subscribes(): readonly EventType[] {
    return incomingTypes(this.#context.branches.coordinators());
  }

  /** One for all events, so that a unit is one run. */
  handlers(): EventHandler[] {
    const [type, ...also] = this.subscribes;
    if (!type) return [];
    const handler: SetHandler = {
      mode: 'set',
      type,
      also,
      name: 'Participants.handle',
      handle: (events, work) => new AsksOfUnit(this.#context, work).handle(events),
      refused: (record, error, work) => this.#refused(record, error, work),
    };
    return [handler];
  }

  tasks(): AnyTaskHandler[] {
    if (!this.#takesPart) return [];
    return [branchWork(this.#context), ...new Intents(this.#context).tasks()] as AnyTaskHandler[];
  }

  /** Asks for decisions that don't come, and forgets what has long ended. */
  start(): void {
    if (!this.#takesPart) return;
    this.#asking.start();
    this.#purging.start();
  }

  async stop(): Promise<void> {
    await Promise.all([this.#asking.stop(), this.#purging.stop()]);
  }

  /** One look at what asks for its decision, and at what has long ended. For tests. */
  async runOnce(): Promise<void> {
    await this.#asking.runOnce();
    await this.#purging.runOnce();
  }

  findings(): Promise<readonly Finding[]> {
    const { pool, clock, alarms } = this.#context;
    return branchFindings({ pool, clock, alarms, attentionAfterMs: this.#attentionAfterMs });
  }

  get #takesPart(): boolean {
    return this.#context.branches.size > 0;
  }

  /**
   * H20. What was lost with a decision is asked for; an ask that was lost is not answered, and its saga
   * aborts at its deadline: what comes after it must not wait.
   */
  async #refused({ topic, key, type, id }: RefusedRecord, error: unknown, work: Work): Promise<void> {
    const words = `an event of ${topic} could not be handled: ${asError(error).message}`;
    this.#context.alarms.raise(`saga ${key}`, words, work.now, { eventId: id, event: type, err: error });
    if (UUID.test(key)) await askNow(work, key);
  }
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
