import type { PoolClient } from 'pg';
import { expect, it } from 'vitest';
import { arePlansOld } from './plans.js';

const MINUTE = 60_000;

it('plans are made anew whenever a connection’s age has doubled, and every ten minutes in the end', () => {
  const client = {} as PoolClient;
  const made: number[] = [];
  for (let nowMs = 0; nowMs <= 60 * MINUTE; nowMs += 500) if (arePlansOld(client, nowMs)) made.push(nowMs);
  expect(made.slice(0, 5)).toEqual([500, 1_000, 2_000, 4_000, 8_000]);
  const last = made.slice(-3);
  expect(last.map((at, i) => (i === 0 ? 0 : at - (last[i - 1] ?? 0)))).toEqual([0, 10 * MINUTE, 10 * MINUTE]);
});

it('each connection has an age of its own', () => {
  expect(arePlansOld({} as PoolClient, 5_000)).toBe(false);
});
