/** One saga of a coordinator and its participants, as far as anything that may happen depends on it. */
import type { SagaState } from '../../src/coordinator/saga-state.js';
import type { BranchRow } from '../../src/participant/branch-row.js';

/** What may still go wrong, and what people may still do. */
export interface Budget {
  /** An old record arrives once more, at one reader. */
  readonly duplicates: number;
  /** A process dies between publishing and noting it: a tail of what it said is said again. */
  readonly crashes: number;
  /** A record whose acknowledgement was lost is appended once more. */
  readonly lostAcks: number;
  /** A record is put aside, and handled later. */
  readonly parked: number;
  readonly cancels: number;
  readonly questions: number;
  /** All faults together. */
  readonly faults: number;
}

/** What a participant's business did, as it would stand in its tables. */
export interface Effects {
  readonly prepared: number;
  readonly committed: number;
  readonly cancelled: number;
}

export interface World {
  readonly saga: SagaState;
  /** Numbers of messages, in topic order: the coordinator's, and each participant's. */
  readonly said: readonly number[];
  readonly answers: readonly (readonly number[])[];
  /** How far each participant has read `said`, and the coordinator each of `answers`. */
  readonly heard: readonly number[];
  readonly read: readonly number[];
  /** Put aside by participant i: a message. */
  readonly aside: readonly (number | null)[];
  readonly rows: readonly (BranchRow | undefined)[];
  readonly effects: readonly Effects[];
  readonly late: boolean;
  readonly budget: Budget;
}

/** Something that may happen: what people would call it, and the world after it. */
export interface Step {
  readonly name: string;
  readonly world: World;
}

/** One text per world that behaves alike: of what was read only what a fault may still bring back. */
export function keyOf(world: World): string {
  const { saga, said, answers, heard, read, aside, rows, effects, late, budget } = world;
  const parts = [keyOfSaga(saga), late ? 'late' : '', Object.values(budget).join()];
  const least = Math.min(...heard);
  const repeats = may(world, 'crashes') || may(world, 'lostAcks');
  const again = may(world, 'duplicates');
  parts.push(keyOfLog(said, least, repeats, again));
  for (const [i, row] of rows.entries()) {
    const { prepared, committed, cancelled } = effects[i] as Effects;
    parts.push(
      `${row?.state} ${row?.code} ${prepared}${committed}${cancelled}`,
      `${aside[i]} ${(heard[i] as number) - least}`,
    );
    parts.push(
      keyOfLog(
        unordered(answers[i] as readonly number[], read[i] as number),
        read[i] as number,
        repeats,
        again,
      ),
    );
  }
  return parts.join('|');
}

export function keyOfSaga({ phase, branches, why, attention }: SagaState): string {
  const all = branches.map(({ state, cancelAsked }) => `${state}${cancelAsked ? '!' : ''}`);
  return `${phase} ${all.join(' ')} ${why?.code} ${attention?.code}`;
}

/** How far back a process that died may repeat itself: what it had published since it noted its place. */
export const TAIL = 2;

/** What is unread is heard in any order. */
function unordered(log: readonly number[], read: number): readonly number[] {
  return [...log.slice(0, read), ...log.slice(read).toSorted((x, y) => x - y)];
}

function keyOfLog(log: readonly number[], read: number, repeats: boolean, again: boolean): string {
  const before = again ? [...new Set(log.slice(0, read))].toSorted((x, y) => x - y).join() : '';
  const tail = repeats ? log.slice(-TAIL).join() : '';
  return `${log.slice(read).join()};${tail};${before}`;
}

export type Fault = 'duplicates' | 'crashes' | 'lostAcks' | 'parked';

export function may({ budget }: World, fault: Fault): boolean {
  return budget[fault] > 0 && budget.faults > 0;
}

export function spend(world: World, fault: Fault): World {
  const { budget } = world;
  return { ...world, budget: { ...budget, [fault]: budget[fault] - 1, faults: budget.faults - 1 } };
}

export function replaced<T>(all: readonly T[], at: number, value: T): T[] {
  return all.map((each, i) => (i === at ? value : each));
}
