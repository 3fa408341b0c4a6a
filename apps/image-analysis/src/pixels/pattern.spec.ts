import { describe, expect, it } from 'vitest';
import { draw, isShirt, region, type Rgb } from '../../test/drawing.js';
import { decide, patternOf, type Evidence } from './pattern.js';

const NAVY: Rgb = [24, 34, 72];
const WHITE: Rgb = [242, 242, 240];
const shirt = region(200, 200, isShirt);
const kindOf = (at: (x: number, y: number) => Rgb): string => patternOf(draw(200, 200, at), shirt).kind;
const turned = (x: number, y: number, degrees: number): number =>
  x * Math.cos((degrees * Math.PI) / 180) + y * Math.sin((degrees * Math.PI) / 180) + 1000;

const check = (degrees: number) => (x: number, y: number) => {
  const crossed = Number(turned(x, y, degrees) % 16 < 8) + Number(turned(x, y, degrees + 90) % 16 < 8);
  return crossed === 0 ? WHITE : crossed === 1 ? ([133, 138, 156] as const) : NAVY;
};

describe('pattern', () => {
  it('is plain for one colour, and for soft folds and grain', () => {
    expect(kindOf(() => NAVY)).toBe('PLAIN');
    expect(
      kindOf((x, y) => {
        const by = 1 + 0.1 * Math.sin(x / 9) + 0.04 * Math.sin(x * 12.9898 + y * 78.233);
        return [120 * by, 30 * by, 40 * by];
      }),
    ).toBe('PLAIN');
  });

  it.each([0, 90, 12, 45])('sees stripes turned by %i degrees', (degrees) => {
    expect(kindOf((x, y) => (turned(x, y, degrees) % 14 < 6 ? NAVY : WHITE))).toBe('STRIPED');
  });

  it('sees a check, and one turned by 10 degrees', () => {
    expect(kindOf(check(0))).toBe('CHECKED');
    expect(kindOf(check(10))).toBe('CHECKED');
  });

  it('sees dots', () => {
    expect(kindOf((x, y) => (Math.hypot((x % 18) - 9, (y % 18) - 9) < 5 ? WHITE : NAVY))).toBe('DOTTED');
  });

  it('does not take one seam between two garments for stripes', () => {
    expect(kindOf((_, y) => (y < 110 ? NAVY : WHITE))).toBe('PLAIN');
  });
});

describe('decision', () => {
  const plain: Evidence = {
    contrast: 0.3,
    bimodality: 0.9,
    along: 0.05,
    across: 0.05,
    turns: 0,
    dots: { count: 0, round: 0, share: 0.05 },
  };

  it('stays plain without structure, and is less sure of it the stronger the contrast', () => {
    expect(decide(plain)).toEqual({ kind: 'PLAIN', confidence: 0.4 });
    expect(decide({ ...plain, contrast: 0.01 }).confidence).toBeGreaterThan(0.9);
  });

  it('needs several turns from tone to tone, and two tones, before it says stripes', () => {
    expect(decide({ ...plain, along: 0.8, turns: 20 }).kind).toBe('STRIPED');
    expect(decide({ ...plain, along: 0.8, turns: 2 }).kind).toBe('PLAIN');
    expect(decide({ ...plain, along: 0.8, turns: 20, bimodality: 0.5 }).kind).toBe('PLAIN');
  });

  it('keeps every confidence within 0..1', () => {
    for (const along of [0, 0.3, 0.6, 1])
      for (const across of [0, 0.3, 1])
        for (const turns of [0, 6, 40])
          for (const count of [0, 5, 50]) {
            const { confidence } = decide({
              ...plain,
              along,
              across,
              turns,
              dots: { count, round: 1, share: 0.3 },
            });
            expect(confidence).toBeGreaterThanOrEqual(0);
            expect(confidence).toBeLessThanOrEqual(1);
          }
  });
});
