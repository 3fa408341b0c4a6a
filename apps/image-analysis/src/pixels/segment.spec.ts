import { describe, expect, it } from 'vitest';
import { draw, isShirt, pixels, region, type Rgb } from '../../test/drawing.js';
import { foregroundOf } from './background.js';
import { neckOf } from './cut.js';
import { MODEL_SIDE, type Picture } from './decode.js';
import { area, boxOf } from './mask.js';
import { garmentOf, isGarmentLike } from './segment.js';
import { shapeOf } from './shape.js';

const nobody = new Float32Array(MODEL_SIDE ** 2);
const WALL: Rgb = [210, 205, 198];
const RED: Rgb = [200, 30, 40];

function garment(at: (x: number, y: number) => Rgb, alpha: Uint8Array | null = null) {
  const rgb = pixels(200, 200, at);
  const size = { width: 200, height: 200 };
  const picture: Picture = { ...size, rgb, alpha, model: new Uint8Array(0), original: size };
  return garmentOf(picture, draw(200, 200, at), nobody);
}

const lit = (x: number, y: number): Rgb => (isShirt(x, y) ? RED : [210 - x / 4, 205 - x / 4, 198 - x / 4]);

describe('garment laid out', () => {
  it('is found on a wall that gets darker to one side, to the pixel or two', () => {
    const { mask } = foregroundOf(draw(200, 200, lit));
    const box = boxOf(mask);
    expect(Math.abs((box?.left ?? 0) - 35)).toBeLessThanOrEqual(2);
    expect(Math.abs((box?.bottom ?? 0) - 165)).toBeLessThanOrEqual(2);
    expect(garment(lit)?.seen).toBe('laid-out');
  });

  it('is nothing on a bare wall, under a horizon, or where a ball lies', () => {
    expect(garment(() => WALL)).toBeNull();
    expect(garment((_, y) => (y < 100 ? [120, 170, 230] : [60, 110, 50]))).toBeNull();
    expect(garment((x, y) => (Math.hypot(x - 100, y - 100) < 55 ? RED : WALL))).toBeNull();
  });

  it('is what is opaque in a cut-out', () => {
    const opaque = region(200, 200, isShirt);
    const found = garment(
      () => RED,
      opaque.at.map((v) => 255 * v),
    );
    expect(found?.seen).toBe('cut-out');
    expect(area(found?.mask ?? opaque)).toBe(area(opaque));
  });
});

describe('shape', () => {
  it('tells a shirt from a disc', () => {
    const shirt = shapeOf(region(200, 200, isShirt));
    const disc = shapeOf(region(200, 200, (x, y) => Math.hypot(x - 100, y - 100) < 60));
    expect(shirt.symmetry).toBeGreaterThan(0.95);
    expect(disc.ellipse).toBeGreaterThan(0.97);
    expect(isGarmentLike(shirt, 10)).toBe(true);
    expect(isGarmentLike(disc, 10)).toBe(false);
    expect(isGarmentLike(shirt, 1)).toBe(false);
  });
});

describe('neck', () => {
  const person = region(100, 120, (x, y) =>
    y < 40 ? Math.hypot(x - 50, y - 20) < 20 : y < 48 ? Math.abs(x - 50) < 8 : Math.abs(x - 50) < 40,
  );
  it('is the narrow row between head and shoulders', () => {
    const row = neckOf(person, 0, 120);
    expect(row).toBeGreaterThanOrEqual(38);
    expect(row).toBeLessThan(48);
  });

  it('is the first row of a body without a head', () => {
    expect(
      neckOf(
        region(100, 120, (x) => Math.abs(x - 50) < 30),
        0,
        120,
      ),
    ).toBe(0);
  });
});
