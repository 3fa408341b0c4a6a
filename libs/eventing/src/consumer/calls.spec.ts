import type { EventEnvelope, EventType } from '@aura/contracts';
import { statement } from '@aura/platform';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { planCalls, planLocks, type Call } from './calls.js';
import { Handlers, type EventHandler } from './handlers.js';

const type = (name: string, topic = 't'): EventType => ({ name, topic }) as EventType;
const each = (name: string, of: string, locks?: EventHandler['locks']): EventHandler => ({
  mode: 'each',
  type: type(of),
  also: [type(of, 'u')],
  name,
  handle: () => Promise.resolve(),
  ...(locks ? { locks } : {}),
});
const set = (name: string, of: string): EventHandler => ({
  mode: 'set',
  type: type(of),
  also: [type(of, 'u')],
  name,
  handle: () => Promise.resolve(),
});
const event = (key: string, of: string, id: string, topic = 't'): EventEnvelope =>
  ({ key, type: of, id, topic }) as EventEnvelope;
const plan = (handlers: EventHandler[], events: EventEnvelope[]): Call[] => {
  const known = new Handlers(handlers);
  return planCalls(events, ({ type: name, topic }) => known.of(name, topic));
};
const eventsOf = (call: Call): readonly EventEnvelope[] => ('events' in call ? call.events : [call.event]);
const shown = (calls: Call[]): string[] =>
  calls.map(
    (call) =>
      `${call.handler.name}(${eventsOf(call)
        .map((e) => e.id)
        .join()})`,
  );

it('H18: calls go by key, in arrival order within a key', () => {
  const calls = plan(
    [each('h', 'A')],
    [event('b', 'A', '1'), event('a', 'A', '2'), event('b', 'A', '3'), event('a', 'A', '4')],
  );
  expect(shown(calls)).toEqual(['h(2)', 'h(4)', 'h(1)', 'h(3)']);
});

it('gives a set handler all keys that stand at its type, and waits for what stands between', () => {
  const calls = plan(
    [set('s', 'S'), each('h', 'A')],
    [
      event('a', 'S', '1'),
      event('a', 'A', '2'),
      event('a', 'S', '3'),
      event('b', 'S', '4'),
      event('c', 'A', '5'),
    ],
  );
  expect(shown(calls)).toEqual(['h(5)', 's(1,4)', 'h(2)', 's(3)']);
});

it('calls the handlers of one type in the order in which they were given', () => {
  const calls = plan([each('first', 'S'), set('then', 'S')], [event('a', 'S', '1'), event('b', 'S', '2')]);
  expect(shown(calls)).toEqual(['first(1)', 'first(2)', 'then(1,2)']);
});

it('E2: every event meets each of its handlers once, in the order of its key', () => {
  const handlers = [set('s', 'S'), set('s2', 'S2'), each('h', 'A'), each('hs', 'S')];
  const drawn = fc.record({
    key: fc.constantFrom('a', 'b', 'c', 'd'),
    type: fc.constantFrom('S', 'S2', 'A'),
    topic: fc.constantFrom('t', 'u'),
  });
  fc.assert(
    fc.property(fc.array(drawn, { maxLength: 40 }), (lanes) => {
      const events = lanes.map((lane, i) => event(lane.key, lane.type, `${i}`, lane.topic));
      const calls = plan(handlers, events);
      const met = calls.flatMap((call) => eventsOf(call).map((e) => `${call.handler.name} ${e.id}`));
      const wanted = events.flatMap((e) =>
        handlers.filter((h) => h.type.name === e.type).map((h) => `${h.name} ${e.id}`),
      );
      expect(met.toSorted()).toEqual(wanted.toSorted());
      for (const lane of Map.groupBy(events, (e) => `${e.topic} ${e.key}`).values()) {
        const firstCalls = lane.map((e) => calls.findIndex((call) => eventsOf(call).includes(e)));
        expect(firstCalls).toEqual(firstCalls.toSorted((a, b) => a - b));
      }
    }),
  );
});

it('H28: an event on a topic that nobody takes it from meets nobody', () => {
  expect(plan([each('h', 'A')], [event('a', 'A', '1', 'somebody else'), event('a', 'A', '2')])).toHaveLength(
    1,
  );
});

it('gives a set handler of several types one run of them, in the order of each key', () => {
  const both = { ...set('s', 'S'), also: [type('S2')] };
  const events = [event('a', 'S', '1'), event('a', 'S2', '2'), event('b', 'S2', '3'), event('a', 'S', '4')];
  expect(shown(plan([both], events))).toEqual(['s(1,2,4,3)']);
});

const keysOf = (e: EventEnvelope): string[] => [e.key, 'shared'];

it('H18: the locks of all handlers are merged, sorted, one statement each', () => {
  const stock = statement(
    'spec_lock_stock',
    'select 1 from stock where sku = any($1::text[]) order by sku for update',
  );
  const price = statement(
    'spec_lock_price',
    'select 1 from price where sku = any($1::text[]) order by sku for update',
  );
  const handlers = new Handlers([
    each('h1', 'A', { statement: stock, keysOf }),
    each('h2', 'A', { statement: price, keysOf }),
    each('h3', 'B', { statement: stock, keysOf: () => [] }),
  ]);
  const events = [event('z', 'A', '1'), event('b', 'A', '2'), event('b', 'B', '3')];
  expect(planLocks(events, ({ type: name, topic }) => handlers.of(name, topic))).toEqual([
    { statement: price, keys: ['b', 'shared', 'z'] },
    { statement: stock, keys: ['b', 'shared', 'z'] },
  ]);
  expect(planLocks([event('b', 'B', '3')], ({ type: name, topic }) => handlers.of(name, topic))).toEqual([]);
});
