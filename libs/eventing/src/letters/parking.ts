/**
 * Pure: which events of a unit are handled, and which wait as letters.
 *
 * K1 a key that is parked, or whose event is refused here, stops: what comes after it of the same topic and
 *    key queues behind it, in order, whether or not it could be handled (E2, E6);
 * K2 what came before the refused event in its key is handled; other keys are not touched;
 * K3 nothing is dropped: each delivery is handled or becomes a letter (E5).
 */
import type { EventEnvelope } from '@aura/contracts';
import { kindOf } from '@aura/platform';
import { isRefused, laneKey, type Delivery, type Lane, type RefusedDelivery } from '../consumer/delivery.js';
import { errorRecord, type ErrorRecord } from './error-record.js';

/** 'retrying': a task tries its head again by itself. 'dead': it waits for an operator. */
export type ParkedState = 'retrying' | 'dead';

/** A key that stands still from now on. */
export interface ParkedMark extends Lane {
  readonly state: ParkedState;
  /** The event that failed: the key's first letter. */
  readonly eventId: string;
}

export interface NewLetter {
  readonly delivery: Delivery;
  /** Undefined on those that only wait behind another. */
  readonly error: ErrorRecord | undefined;
  readonly attempts: number;
}

export interface Sorted {
  readonly handle: readonly EventEnvelope[];
  readonly letters: readonly NewLetter[];
  readonly marks: readonly ParkedMark[];
}

/** `deliveries` in arrival order; `parked`: the lanes (`laneKey`) that stand still already. */
export function putAside(deliveries: readonly Delivery[], parked: ReadonlySet<string>): Sorted {
  const still = new Set(parked);
  const handle: EventEnvelope[] = [];
  const letters: NewLetter[] = [];
  const marks: ParkedMark[] = [];
  for (const delivery of deliveries) {
    const lane = laneKey(delivery.record);
    if (isRefused(delivery)) {
      letters.push({ delivery, error: errorRecord(delivery.refusal), attempts: 1 });
      if (!still.has(lane)) marks.push(markOf(delivery));
      still.add(lane);
    } else if (still.has(lane)) letters.push({ delivery, error: undefined, attempts: 0 });
    else handle.push(delivery.event);
  }
  return { handle, letters, marks };
}

function markOf({ record: { topic, key }, id, refusal }: RefusedDelivery): ParkedMark {
  return { topic, key, state: stateAfter(refusal), eventId: id };
}

/** What can never succeed is not tried. */
export function stateAfter(error: unknown): ParkedState {
  return kindOf(error) === 'terminal' ? 'dead' : 'retrying';
}
