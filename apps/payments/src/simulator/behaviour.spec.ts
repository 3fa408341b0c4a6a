import { describe, expect, it } from 'vitest';
import { declines, faultOf, hasOutage, TOKEN_NAMES, type Operation } from './behaviour.js';

const REFERENCES = Array.from({ length: 2_000 }, (_, n) => `payment-${n}`);
const OPERATIONS: readonly Operation[] = ['authorise', 'capture', 'void', 'refund'];
const always = { seed: 7, faultRate: 1 };

const captures = (seed: number): unknown[] =>
  REFERENCES.map((each) => faultOf({ seed, faultRate: 0.5 }, 'capture', 'tok-random', each));

const met = (token: string): Set<unknown> =>
  new Set(
    REFERENCES.flatMap((each) => OPERATIONS.map((operation) => faultOf(always, operation, token, each))),
  );

describe('the behaviour of the simulated provider', () => {
  it('is the same for the same seed, and another for another one', () => {
    expect(captures(1)).toEqual(captures(1));
    expect(captures(1)).not.toEqual(captures(2));
  });

  it.each([0, 0.1, 1])('tok-random: a share of %f meets a fault, and as many are declined', (faultRate) => {
    const chance = { seed: 3, faultRate };
    const faults = REFERENCES.filter((each) => faultOf(chance, 'authorise', 'tok-random', each)).length;
    const declined = REFERENCES.filter((each) => declines(chance, 'tok-random', each)).length;
    expect(Math.abs(faults / REFERENCES.length - faultRate)).toBeLessThan(0.03);
    expect(Math.abs(declined / REFERENCES.length - faultRate)).toBeLessThan(0.03);
  });

  it('tok-flaky meets every fault, tok-ok none, and only tok-declined is declined', () => {
    expect(met('tok-flaky')).toEqual(new Set(['slow', 'late', 'unanswered', 'lost', 'twice', 'unreachable']));
    expect([met('tok-ok'), met('tok-declined')]).toEqual([new Set([undefined]), new Set([undefined])]);
    const sure = TOKEN_NAMES.filter((token) => declines({ seed: 1, faultRate: 0 }, token, 'payment'));
    expect(sure).toEqual(['tok-declined']);
  });

  it('an outage comes back at its time, shifted by the seed', () => {
    const outages = { everyMs: 1_000, forMs: 100 };
    const down = (seed: number): number[] =>
      Array.from({ length: 30 }, (_, n) => n * 100).filter((ms) =>
        hasOutage({ ...always, seed }, outages, new Date(ms)),
      );
    expect([down(0), down(300)]).toEqual([
      [0, 1_000, 2_000],
      [700, 1_700, 2_700],
    ]);
    expect(hasOutage(always, { everyMs: 0, forMs: 100 }, new Date(0))).toBe(false);
  });
});
