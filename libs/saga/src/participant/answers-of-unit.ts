/**
 * What the branches of one transaction answer, as few events: one for each coordinator.
 *
 * A1 an answer needs no order and no key: `decide` takes those of a branch in any order, and each once (D6);
 * A2 the id of an event depends on all that it answers: the same id is never something else (H40).
 *
 * Why: docs/adr/0023-answers-in-company.md.
 */
import type { Work } from '@aura/eventing';
import { BranchesAnswered } from '../generated/protocol.js';
import type { Answer } from './answers.js';

/** One has at most 4 KiB of a reply, or 1,000 characters of a reason: 100 stay below an event's limit. */
const MAX_ANSWERS = 100;
/**
 * Of an acknowledged commit: nothing follows from it but that its saga has ended (ADR 0022). Not of a cancel:
 * the next compensation waits for it.
 */
const UNHURRIED_MS = 50;

/** On whose behalf something is answered: an ask, or a task. Only the first of an event raises it. */
export interface Answering {
  readonly raise: Work['raise'];
  /** Where it was settled; null where that is not recorded. */
  readonly traceparent: string | null;
}

interface Given extends Answering {
  readonly answer: Answer;
}

export class AnswersOfUnit {
  readonly #given: Given[] = [];
  #hurry = false;

  constructor(private readonly service: string) {}

  add(answer: Answer, by: Answering, waits = false): void {
    this.#given.push({ answer, ...by });
    if (!waits) this.#hurry = true;
  }

  /** Raises all of them, on behalf of the first of each event. */
  raise(): void {
    for (const [coordinator, all] of Map.groupBy(this.#given, ({ answer }) => answer.coordinator))
      for (let at = 0; at < all.length; at += MAX_ANSWERS)
        this.#raise(coordinator, all.slice(at, at + MAX_ANSWERS));
  }

  #raise(coordinator: string, given: readonly Given[]): void {
    const [first] = given;
    if (!first) return;
    const firstSagaId = first.answer.sagaId;
    const answers = given.map(({ answer, traceparent }) => {
      const { coordinator: _, ...said } = answer;
      return { ...said, traceparent };
    });
    const event = BranchesAnswered.by(this.service).of({ firstSagaId, coordinator, answers });
    first.raise(event, {
      correlationId: firstSagaId,
      part: given.map(({ answer: { sagaId, branch, says } }) => `${sagaId}/${branch}/${says}`).join(), // A2
      ...(this.#hurry ? {} : { withinMs: UNHURRIED_MS }),
    });
  }
}
