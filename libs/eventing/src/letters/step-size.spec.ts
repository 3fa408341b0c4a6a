import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { StepSize } from './step-size.js';

/** Runs a queue of `letters` of which `poison` fails; the steps it took, and what went through. */
function drive(letters: number, poison: number, most: number): { steps: number; through: number } {
  const size = new StepSize(most);
  let through = 0;
  for (let steps = 1; ; steps++) {
    const taken = Math.min(size.next(), letters - through);
    if (through + taken <= poison) {
      through += taken;
      size.passed(taken);
    } else if (taken === 1) return { steps, through };
    else size.failed(taken);
  }
}

it('R1, R2: all before the failing letter goes through, and it stands alone after few steps', () => {
  const cases = fc.tuple(fc.nat(5_000), fc.integer({ min: 1, max: 100 }));
  fc.assert(
    fc.property(cases, fc.nat(200), ([poison, most], behind) => {
      const { steps, through } = drive(poison + 1 + behind, poison, most);
      expect(through).toBe(poison);
      expect(steps).toBeLessThanOrEqual(Math.ceil(poison / most) + 2 * Math.log2(most) + 4);
    }),
  );
  expect(drive(1_000, 0, 100).steps).toBe(1);
});
