import type { Temperature } from './analysis.js';
import { quantile, type LabImage } from './colour.js';

export interface Light {
  readonly brightness: number;
  readonly contrast: number;
  readonly temperature: Temperature;
}

/** Mean `b - 0.3a`-like warmth below which nobody would call a colour warm or cool. */
const NEUTRAL = 0.018;
const clamp = (value: number): number => Math.min(1, Math.max(0, value));

/**
 * Brightness, contrast and temperature of the pixels: lightness of OKLab, and its blue-to-yellow axis with
 * some red.
 */
export function lightOf(image: LabImage, pixels: ArrayLike<number>): Light {
  const list = Array.from(pixels);
  if (list.length === 0) return { brightness: 0, contrast: 0, temperature: 'NEUTRAL' };
  const mean = (plane: Float32Array): number =>
    list.reduce((sum, i) => sum + (plane[i] ?? 0), 0) / list.length;
  const lightness = list.map((i) => image.l[i] ?? 0);
  const warmth = mean(image.b) + 0.4 * mean(image.a);
  return {
    brightness: clamp(mean(image.l)),
    contrast: clamp(quantile(lightness, 0.95) - quantile(lightness, 0.05)),
    temperature: warmth > NEUTRAL ? 'WARM' : warmth < -NEUTRAL ? 'COOL' : 'NEUTRAL',
  };
}
