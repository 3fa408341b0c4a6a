/** The participant side of one service: its branch types, and what does them. */
import type { EventEnvelope, EventType } from '@aura/contracts';
import type { EventHandler, Finding, SetHandler, TaskHandler, UnitsOfWork, Work } from '@aura/eventing';
import type { Clock, Logger } from '@aura/platform';
import type { Pool } from 'pg';
import { Alarms } from './alarms.js';
import { Answers } from './answers.js';
import { AsksOfUnit, type ParticipantContext } from './asks-of-unit.js';
import { branchWork } from './branch-work.js';
import { INCOMING } from './incoming.js';
import { KnownBranches, type ParticipantEntry } from './known-branches.js';

export interface ParticipantsOptions {
  readonly service: string;
  readonly participants: readonly ParticipantEntry[];
  readonly units: UnitsOfWork;
  readonly pool: Pool;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How old a yes gets before it asks for its decision (ms). Default 10,000. */
  readonly askAfterMs?: number;
  /** How long a hold waits for its decision, or a decision for its work, before it is a finding (ms). */
  readonly attentionAfterMs?: number;
}

/**
 * Handlers and tasks that carry out what coordinators ask of this service.
 *
 * Guarantees: each branch is prepared at most once, and never after a cancel; committed or cancelled once, and
 * only after a yes; answered again when asked again (barrier.ts). Nothing of it becomes a dead letter.
 */
export class Participants {
  readonly #context: ParticipantContext;

  /** Throws `InvariantError` for a branch type of another service, for two of one type, for a wrong kind. */
  constructor({ service, participants, logger, askAfterMs = 10_000 }: ParticipantsOptions) {
    this.#context = {
      branches: new KnownBranches(service, participants),
      answers: new Answers(service),
      alarms: new Alarms(service, logger),
      logger,
      askAfterMs,
    };
  }

  /** What the service publishes as a participant. */
  get publishes(): readonly EventType[] {
    return this.#context.branches.size > 0 ? this.#context.answers.types() : [];
  }

  /** What it reads as one. */
  get subscribes(): readonly EventType[] {
    const coordinators = this.#context.branches.coordinators();
    return coordinators.flatMap((coordinator) => INCOMING.map((shared) => shared.by(coordinator)));
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
      handle: (events, work) => this.#handle(events, work),
    };
    return [handler];
  }

  tasks(): TaskHandler[] {
    return [branchWork(this.#context) as TaskHandler];
  }

  /** Asks for decisions that don't come, and forgets what has long ended. */
  start(): void {}

  async stop(): Promise<void> {}

  findings(): Promise<readonly Finding[]> {
    return Promise.resolve(this.#context.alarms.findings());
  }

  async #handle(events: readonly EventEnvelope[], work: Work): Promise<void> {
    await new AsksOfUnit(this.#context, work).handle(events);
  }
}
