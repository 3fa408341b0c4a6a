/**
 * Pure: which handler is called with which events of a unit, in which order.
 *
 * C1 by key, arrival order within a key: two replicas that lock rows named after keys meet in the same
 *    order (H18);
 * C2 a set handler gets events of as many keys as stand at one of its types, and no event that others take,
 *    of the same key, stands between two of a run.
 */
import type { EventEnvelope } from '@aura/contracts';
import type { Statement } from '@aura/platform';
import { compare, laneKey } from './delivery.js';
import type { EachHandler, EventHandler, SetHandler } from './handlers.js';

export type Call =
  | { readonly handler: EachHandler; readonly event: EventEnvelope }
  | { readonly handler: SetHandler; readonly events: readonly EventEnvelope[] };

type HandlersOf = (event: EventEnvelope) => readonly EventHandler[];

/** `events` in arrival order. Every handler of every event is called once with it. */
export function planCalls(events: readonly EventEnvelope[], handlersOf: HandlersOf): Call[] {
  const waiting = lanesOf(events);
  const calls: Call[] = [];
  const takesSets = (event: EventEnvelope): boolean =>
    handlersOf(event).some((handler) => handler.mode === 'set');
  while (waiting.some((lane) => lane.length > 0)) {
    for (const lane of waiting)
      for (let head = lane[0]; head && !takesSets(head); head = lane[0])
        calls.push(...callsOf(handlersOf(head), lane.splice(0, 1)));
    const head = waiting.find((lane) => lane.length > 0)?.[0];
    if (!head) break;
    const takers = handlersOf(head);
    const alike = (event: EventEnvelope): boolean => same(handlersOf(event), takers);
    const run = waiting.flatMap((lane) => lane.splice(0, lengthOfHead(lane, alike)));
    calls.push(...callsOf(takers, run));
  }
  return calls;
}

/**
 * One sorted set of keys per lock statement, statements by name: what a unit locks before its handlers run
 * (H18).
 */
export function planLocks(
  events: readonly EventEnvelope[],
  handlersOf: HandlersOf,
): { statement: Statement; keys: string[] }[] {
  const wanted = new Map<string, { statement: Statement; keys: Set<string> }>();
  for (const event of events)
    for (const { locks } of handlersOf(event)) {
      if (!locks) continue;
      const known = wanted.get(locks.statement.name) ?? { statement: locks.statement, keys: new Set() };
      for (const key of locks.keysOf(event)) known.keys.add(key);
      wanted.set(locks.statement.name, known);
    }
  return [...wanted.values()]
    .filter(({ keys }) => keys.size > 0)
    .toSorted((a, b) => compare(a.statement.name, b.statement.name))
    .map(({ statement, keys }) => ({ statement, keys: [...keys].toSorted(compare) }));
}

function lanesOf(events: readonly EventEnvelope[]): EventEnvelope[][] {
  const lanes = new Map<string, EventEnvelope[]>();
  for (const event of events) {
    const key = laneKey(event);
    const lane = lanes.get(key);
    if (lane) lane.push(event);
    else lanes.set(key, [event]);
  }
  return [...lanes.values()].toSorted(
    ([a], [b]) => compare(a?.key ?? '', b?.key ?? '') || compare(a?.topic ?? '', b?.topic ?? ''),
  );
}

function lengthOfHead(lane: readonly EventEnvelope[], alike: (event: EventEnvelope) => boolean): number {
  const end = lane.findIndex((event) => !alike(event));
  return end === -1 ? lane.length : end;
}

function same(some: readonly EventHandler[], others: readonly EventHandler[]): boolean {
  if (some === others) return true;
  return some.length === others.length && some.every((handler, index) => handler === others[index]);
}

function callsOf(handlers: readonly EventHandler[], events: readonly EventEnvelope[]): Call[] {
  return handlers.flatMap((handler): Call[] =>
    handler.mode === 'set' ? [{ handler, events }] : events.map((event) => ({ handler, event })),
  );
}
