import { describe, expect, it } from 'vitest';
import { draw, type Rgb } from '../../test/drawing.js';
import { lightOf } from './light.js';

const light = (at: (x: number) => Rgb) =>
  lightOf(
    draw(20, 20, at),
    Int32Array.from({ length: 400 }, (_, i) => i),
  );

describe('light', () => {
  it('is 0 for black, 1 for white, and has contrast only between them', () => {
    expect(light(() => [0, 0, 0]).brightness).toBeCloseTo(0, 3);
    expect(light(() => [255, 255, 255])).toMatchObject({ contrast: 0, temperature: 'NEUTRAL' });
    expect(light(() => [255, 255, 255]).brightness).toBeCloseTo(1, 3);
    expect(light((x) => (x < 10 ? [0, 0, 0] : [255, 255, 255])).contrast).toBeCloseTo(1, 3);
  });

  it('tells warm from cool', () => {
    expect(light(() => [220, 140, 60]).temperature).toBe('WARM');
    expect(light(() => [60, 110, 200]).temperature).toBe('COOL');
    expect(light(() => [128, 128, 128]).temperature).toBe('NEUTRAL');
  });
});
