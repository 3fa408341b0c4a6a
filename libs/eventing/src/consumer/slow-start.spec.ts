import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { grown, sizeAt, slowStart } from './slow-start.js';

/** One process: goes through records from `at` to the end, unless a unit holds the deadly one. */
function life(at: bigint, end: bigint, deadly: bigint, startedUntil?: bigint) {
  let slow = slowStart(at, end, startedUntil);
  while (slow && at < end) {
    const until = at + BigInt(sizeAt(slow, at)) < end ? at + BigInt(sizeAt(slow, at)) : end;
    if (deadly >= at && deadly < until) return { at, until, alone: until === at + 1n };
    slow = grown(slow, at, until);
    at = until;
  }
  return undefined;
}

it('H21: nothing is to be feared where the last owner released, or had nothing before it', () => {
  expect(slowStart(5n, undefined, undefined)).toBeUndefined();
  expect(slowStart(5n, 5n, undefined)).toBeUndefined();
  expect(slowStart(5n, 5n, 4n)).toBeUndefined();
});

it('H21: grows 1, 2, 4, .. up to where nobody can have been', () => {
  let slow = slowStart(10n, 20n, undefined);
  const sizes: number[] = [];
  for (let at = 10n; slow;) {
    const until = at + BigInt(sizeAt(slow, at));
    sizes.push(Number(until - at));
    slow = grown(slow, at, until);
    at = until;
  }
  expect(sizes).toEqual([1, 2, 4, 8]);
});

it('H21: wherever the deadly event lies, it stands alone in the second process that is noted', () => {
  fc.assert(
    fc.property(fc.bigInt(0n, 499n), fc.bigInt(1n, 500n), (deadly, length) => {
      fc.pre(deadly < length);
      const first = life(0n, length, deadly);
      expect(first).toBeDefined();
      if (!first || first.alone) return;
      // The next owner knows how far the unit that ended the last one reached.
      const second = life(first.at, length, deadly, first.until);
      expect(second).toEqual({ at: deadly, until: deadly + 1n, alone: true });
    }),
  );
});
