/** Pure: what a replay takes from the outbox, checked and carried. */
import { TerminalError } from '@aura/platform';
import type { ReplaySelection } from '../operations/operations.js';

/** A selection that can select nothing, or asks for what is not there; the message names the field. */
export class BadSelectionError extends TerminalError {}

/** Throws `BadSelectionError` where the conditions contradict one another. */
export function checkSelection(selection: ReplaySelection): void {
  const { fromPosition, toPosition, from, to, topic, partitions } = selection;
  if (fromPosition !== undefined && toPosition !== undefined && fromPosition > toPosition)
    throw new BadSelectionError(`fromPosition ${fromPosition} lies behind toPosition ${toPosition}`);
  if (from && to && from >= to)
    throw new BadSelectionError(`from ${from.toISOString()} is not before to ${to.toISOString()}`);
  if (partitions && topic === undefined)
    throw new BadSelectionError('partitions are those of one topic: name it in topic');
  if (partitions?.length === 0) throw new BadSelectionError('partitions names none');
}

/** A selection as JSON keeps it: integers and times as text. */
export interface SelectionColumns {
  readonly topic?: string;
  readonly fromPosition?: string;
  readonly toPosition?: string;
  readonly from?: string;
  readonly to?: string;
  readonly type?: string;
  readonly key?: string;
  readonly correlationId?: string;
  readonly partitions?: readonly number[];
}

export function toSelectionColumns(selection: ReplaySelection): SelectionColumns {
  const { fromPosition, toPosition, from, to, ...rest } = selection;
  return {
    ...rest,
    ...(fromPosition === undefined ? {} : { fromPosition: String(fromPosition) }),
    ...(toPosition === undefined ? {} : { toPosition: String(toPosition) }),
    ...(from ? { from: from.toISOString() } : {}),
    ...(to ? { to: to.toISOString() } : {}),
  };
}

export function fromSelectionColumns(columns: SelectionColumns): ReplaySelection {
  const { fromPosition, toPosition, from, to, ...rest } = columns;
  return {
    ...rest,
    ...(fromPosition === undefined ? {} : { fromPosition: BigInt(fromPosition) }),
    ...(toPosition === undefined ? {} : { toPosition: BigInt(toPosition) }),
    ...(from === undefined ? {} : { from: new Date(from) }),
    ...(to === undefined ? {} : { to: new Date(to) }),
  };
}
