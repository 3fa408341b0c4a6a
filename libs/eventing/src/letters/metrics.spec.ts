import { metrics, type MeterProvider } from '@opentelemetry/api';
import { afterEach, expect, it } from 'vitest';
import { letterMetrics } from './metrics.js';

type Observed = Record<string, number>;
/** What an SDK does when it collects: it asks the callback. */
let collect: () => Promise<Observed>;

/** As much of a meter as these instruments need. */
const provider = {
  getMeter: () => ({
    createCounter: () => ({ add: () => undefined }),
    createObservableGauge: (name: string) => ({ name }),
    addBatchObservableCallback(
      callback: (result: {
        observe(of: { name: string }, value: number, by: { state: string }): void;
      }) => unknown,
    ) {
      collect = async () => {
        const observed: Observed = {};
        await callback({
          observe: ({ name }, value, { state }) => (observed[`${name} ${state}`] = value),
        });
        return observed;
      };
    },
  }),
} as unknown as MeterProvider;

afterEach(() => metrics.disable());

it('tells parked keys and letters by state, and asks nothing while there are none', async () => {
  metrics.setGlobalMeterProvider(provider);
  let asked = 0;
  let parked: { state: 'dead' | 'retrying'; keys: number; letters: number }[] = [];
  let away = false;
  const told = letterMetrics('shop', () => {
    asked++;
    return away ? Promise.reject(new Error('away')) : Promise.resolve(parked);
  });
  const none = {
    'aura.letters.keys retrying': 0,
    'aura.letters.waiting retrying': 0,
    'aura.letters.keys dead': 0,
    'aura.letters.waiting dead': 0,
  };
  for (let i = 0; i < 5; i++) expect(await collect()).toEqual(none);
  expect(asked).toBe(1); // of a start: what was parked before is known

  parked = [{ state: 'dead', keys: 2, letters: 7 }];
  told.changed();
  const some = { ...none, 'aura.letters.keys dead': 2, 'aura.letters.waiting dead': 7 };
  expect(await collect()).toEqual(some);
  parked = [];
  away = true;
  expect(await collect()).toEqual(some); // the figures of before
  away = false;
  expect(await collect()).toEqual(none); // another replica may have redriven them
  asked = 0;
  await collect();
  expect(asked).toBe(0);
});
