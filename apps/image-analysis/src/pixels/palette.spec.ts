import { describe, expect, it } from 'vitest';
import { draw, region } from '../../test/drawing.js';
import { paletteOf } from './palette.js';

const everything = region(100, 100, () => true);

describe('palette', () => {
  it('is empty of an empty mask', () => {
    const image = draw(100, 100, () => [200, 30, 40]);
    expect(
      paletteOf(
        image,
        region(100, 100, () => false),
        'PLAIN',
      ),
    ).toEqual([]);
  });

  it('takes one cloth in uneven light for one colour', () => {
    const image = draw(100, 100, (x) => [90 + x / 2, 20 + x / 8, 24 + x / 8]);
    expect(paletteOf(image, everything, 'PLAIN')).toHaveLength(1);
  });

  it('gives the colours by falling share, and shares that sum to 1', () => {
    const image = draw(100, 100, (x) => (x < 60 ? [30, 60, 160] : x < 90 ? [240, 240, 240] : [200, 30, 40]));
    const palette = paletteOf(image, everything, 'OTHER');
    expect(palette.map((colour) => colour.name)).toEqual(['blue', 'white', 'red']);
    expect(palette[0]?.share).toBeCloseTo(0.6, 1);
    expect(palette.reduce((sum, colour) => sum + colour.share, 0)).toBeCloseTo(1, 9);
  });

  it('ignores a speck and what lies outside of the mask', () => {
    const image = draw(100, 100, (x, y) =>
      x < 50 ? [30, 140, 60] : x < 53 && y < 20 ? [255, 255, 255] : [20, 20, 22],
    );
    const palette = paletteOf(
      image,
      region(100, 100, (x) => x >= 50),
      'PLAIN',
    );
    expect(palette.map((colour) => colour.name)).toEqual(['black']);
  });

  it('leaves the half-tone of a check to the two dyes', () => {
    const image = draw(100, 100, (x, y) => {
      const crossed = Number(x % 20 < 10) + Number(y % 20 < 10);
      return crossed === 0 ? [250, 250, 250] : crossed === 1 ? [225, 130, 135] : [200, 20, 30];
    });
    expect(
      paletteOf(image, everything, 'CHECKED')
        .map((colour) => colour.name)
        .toSorted(),
    ).toEqual(['red', 'white']);
    expect(paletteOf(image, everything, 'OTHER')).toHaveLength(3);
  });
});
