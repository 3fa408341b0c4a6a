import { expect, it } from 'vitest';
import { nextState, shareOf, type BudgetState } from './budget-rules.js';

const limits = { maxBytes: 1_000, maxAgeMs: 60_000 };

it('G1: bytes or age, whichever has used more of its own', () => {
  expect(shareOf({ rows: 1, bytes: 500, ageMs: 6_000 }, limits)).toBe(0.5);
  expect(shareOf({ rows: 1, bytes: 500, ageMs: 54_000 }, limits)).toBe(0.9);
  expect(shareOf({ rows: 0, bytes: 0, ageMs: 0 }, limits)).toBe(0);
});

it('G2: an alarm at 80 %, no new work at 100 %, and each ends ten points lower', () => {
  const states = [0.79, 0.8, 0.71, 0.69, 0.99, 1, 0.91, 0.89, 1.2, 0.3, 0.79].reduce<BudgetState[]>(
    (all, share) => [...all, nextState(all.at(-1) ?? 'open', share)],
    [],
  );
  expect(states).toEqual([
    'open',
    'alarm',
    'alarm',
    'open',
    'alarm',
    'full',
    'full',
    'alarm',
    'full',
    'open',
    'open',
  ]);
});
