/**
 * Pure. Compares what two services wrote down: every cause has its effects, once, in order, and nothing
 * else has any.
 */
import { isPacked } from '../events.js';

export interface Entry {
  readonly id: string;
  readonly key: string;
  readonly n: number;
}

/** An entry of a reader that notes which one of its key it saw before this one: null for the first. */
export interface Applied extends Entry {
  readonly after: number | null;
}

/** The books of both services, each table in the order in which it was written. */
export interface Ledger {
  readonly causes: readonly Entry[];
  /** Orders whose COMMIT was acknowledged to the caller. */
  readonly acknowledged: readonly string[];
  readonly effects: readonly Applied[];
  readonly taken: readonly Applied[];
  readonly packed: readonly Entry[];
  readonly packedAnswers: readonly Entry[];
  /**
   * Whatever is left over that should be empty, in words: parked keys, letters, tasks, events not
   * published.
   */
  readonly leftovers: readonly string[];
}

/** What is wrong with it, one sentence each; empty when the promise was kept. */
export function differences(ledger: Ledger): string[] {
  const { causes, acknowledged, effects, taken, packed, packedAnswers, leftovers } = ledger;
  const known = new Set(causes.map(({ id }) => id));
  const toPack = causes.filter(isPacked);
  return [
    ...acknowledged.filter((id) => !known.has(id)).map((id) => `order ${id}: committed, and gone`),
    ...countersOf('cause', causes),
    ...onceEach('effect', causes, effects),
    ...onceEach('answer', causes, taken),
    ...onceEach('packing', toPack, packed),
    ...onceEach('answer of a packing', toPack, packedAnswers),
    ...inOrder('effect', effects),
    ...inOrder('answer', taken),
    ...leftovers,
  ];
}

/** The counters of one key are 1, 2, 3, ...: no order overwrote another. */
function countersOf(what: string, entries: readonly Entry[]): string[] {
  return [...byKey(entries)].flatMap(([key, ofKey]) => {
    const numbers = ofKey.map(({ n }) => n).toSorted((a, b) => a - b);
    const wrong = numbers.findIndex((n, index) => n !== index + 1);
    return wrong < 0 ? [] : [`${what}s of ${key}: ${wrong + 1} is missing or there twice`];
  });
}

function onceEach(what: string, wanted: readonly Entry[], found: readonly Entry[]): string[] {
  const counts = new Map<string, number>();
  for (const { id } of found) counts.set(id, (counts.get(id) ?? 0) + 1);
  const wrong = wanted.flatMap((entry) => {
    const times = counts.get(entry.id) ?? 0;
    counts.delete(entry.id);
    if (times === 1) return [];
    return [`${what} of ${nameOf(entry)}: ${times === 0 ? 'missing' : `applied ${times} times`}`];
  });
  return [...wrong, ...[...counts.keys()].map((id) => `${what} of order ${id}: without a cause`)];
}

/** Each was applied right after the one before it, and written in that order. */
function inOrder(what: string, entries: readonly Applied[]): string[] {
  return [...byKey(entries)].flatMap(([key, ofKey]) => {
    const wrong = ofKey.find(({ n, after }, index) => n !== index + 1 || (after ?? 0) !== index);
    return wrong ? [`${what}s of ${key}: ${wrong.n} was applied after ${wrong.after ?? 'nothing'}`] : [];
  });
}

function byKey<E extends Entry>(entries: readonly E[]): Map<string, E[]> {
  return Map.groupBy(entries, ({ key }) => key);
}

const nameOf = ({ id, key, n }: Entry): string => `order ${id} (${key}, ${n})`;
