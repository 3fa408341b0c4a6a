import { describe, expect, it } from 'vitest';
import { COLOUR_NAMES } from './analysis.js';
import { oklab } from './colour.js';
import { ciede2000, nameOf } from './names.js';

describe('colour names', () => {
  it.each([
    ['black', 12, 12, 14],
    ['white', 250, 250, 248],
    ['grey', 136, 138, 140],
    ['navy', 22, 32, 70],
    ['blue', 40, 90, 190],
    ['light blue', 160, 200, 235],
    ['teal', 10, 120, 124],
    ['green', 45, 135, 70],
    ['olive', 100, 104, 48],
    ['yellow', 245, 222, 60],
    ['mustard', 202, 152, 34],
    ['orange', 240, 128, 36],
    ['red', 204, 32, 42],
    ['burgundy', 108, 24, 44],
    ['pink', 242, 160, 184],
    ['purple', 102, 44, 136],
    ['lilac', 196, 172, 222],
    ['brown', 104, 68, 40],
    ['camel', 190, 148, 102],
    ['beige', 222, 208, 180],
  ] as const)('calls a typical %s by its name', (name, r, g, b) => {
    expect(nameOf(oklab(r, g, b))).toBe(name);
  });

  it('knows every name of the list', () => {
    expect(new Set(COLOUR_NAMES).size).toBe(20);
  });

  it('measures no distance between a colour and itself, and a large one between black and white', () => {
    const [black, white] = [oklab(0, 0, 0), oklab(255, 255, 255)];
    expect(ciede2000(black, black)).toBe(0);
    expect(ciede2000(black, white)).toBeCloseTo(100, 0);
  });
});
