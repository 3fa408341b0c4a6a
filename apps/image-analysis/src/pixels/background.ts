import { kMeans } from './cluster.js';
import { quantile, type LabImage } from './colour.js';
import { boxSums, components, erode, fillHoles, fromPixels, majority, maskOf, type Mask } from './mask.js';

/**
 * Finds what lies on a background, from nothing but the picture's border: the border is taken as
 * background, its colours and roughness are learnt, and what differs is the object. Needs a border that is
 * mostly background.
 */

/** Width of the border, as a share of the shorter side. */
const BORDER = 0.05;
/** More pixels of the border say nothing new. */
const ENOUGH_BORDER = 3000;
const KINDS_OF_BACKGROUND = 6;
/** A kind of border with a smaller share is something that sticks out of the picture, not background. */
const LEAST_KIND = 0.07;
/** l, a, b, roughness: noise under which a difference means nothing. */
const FLOOR = [0.035, 0.012, 0.012, 0.03] as const;
const FEATURES = FLOOR.length;
/** The first features are colour, the last is roughness. */
const COLOURS = 3;
const ROUGHNESS_RADIUS = 3;
const LEAST_SCORE = 2.4;

/**
 * The object's mask, and how strange its pixels are to the border (in its own standard deviations; median).
 */
export interface Foreground {
  readonly mask: Mask;
  readonly strangeness: number;
}

export function foregroundOf(image: LabImage): Foreground {
  const { width, height } = image;
  const features = featuresOf(image);
  const all = borderOf(width, height);
  const step = Math.max(1, Math.floor(all.length / ENOUGH_BORDER));
  const border = all.filter((_, k) => k % step === 0);
  const kinds = kindsOf(features, border);
  const score = new Float32Array(width * height);
  for (let i = 0; i < score.length; i++) score[i] = strangeness(features, i, kinds, FEATURES);
  const usual = quantile(
    border.map((i) => score[i] ?? 0),
    0.9,
  );
  const threshold = Math.max(LEAST_SCORE, Math.min(1.25 * usual, 6));
  const rough = majority(
    maskOf(width, height, (i) => (score[i] ?? 0) > threshold),
    2,
  );
  const parts = components(fillHoles(rough));
  const largest = parts[0]?.length ?? 0;
  const kept = fromPixels(width, height, ...parts.filter((part) => part.length > 0.15 * largest));
  const mask = majority(withoutRim(kept, features, kinds), 1);
  const inside: number[] = [];
  for (let i = 0; i < score.length; i++) if (mask.at[i] === 1) inside.push(score[i] ?? 0);
  return { mask, strangeness: quantile(inside, 0.5) };
}

function borderOf(width: number, height: number): number[] {
  const thick = Math.max(2, Math.round(BORDER * Math.min(width, height)));
  const pixels: number[] = [];
  for (let i = 0; i < width * height; i++) {
    const x = i % width;
    const y = (i - x) / width;
    if (Math.min(x, y, width - 1 - x, height - 1 - y) < thick) pixels.push(i);
  }
  return pixels;
}

/**
 * l, a, b (smoothed, the light's slope over the border taken off) and the roughness around, for every
 * pixel.
 */
function featuresOf(image: LabImage): Float32Array {
  const { width, height } = image;
  const features = new Float32Array(width * height * FEATURES);
  const border = borderOf(width, height);
  for (const [d, plane] of [image.l, image.a, image.b].entries()) {
    const smooth = means(plane, width, height, 1);
    const slope = slopeOf(smooth, border, width);
    for (let i = 0; i < smooth.length; i++)
      features[i * FEATURES + d] = (smooth[i] ?? 0) - slope.x * (i % width) - slope.y * Math.floor(i / width);
  }
  const mean = means(image.l, width, height, ROUGHNESS_RADIUS);
  const squares = means(
    image.l.map((v) => v * v),
    width,
    height,
    ROUGHNESS_RADIUS,
  );
  for (let i = 0; i < mean.length; i++)
    features[i * FEATURES + 3] = Math.sqrt(Math.max(0, (squares[i] ?? 0) - (mean[i] ?? 0) ** 2));
  return features;
}

function means(plane: Float32Array, width: number, height: number, radius: number): Float32Array {
  const sum = boxSums(plane, width, height);
  const result = new Float32Array(plane.length);
  for (let y = 0; y < height; y++) {
    const [y0, y1] = [Math.max(0, y - radius), Math.min(height, y + radius + 1)];
    for (let x = 0; x < width; x++) {
      const [x0, x1] = [Math.max(0, x - radius), Math.min(width, x + radius + 1)];
      result[y * width + x] = sum(x0, y0, x1, y1) / ((x1 - x0) * (y1 - y0));
    }
  }
  return result;
}

/** How the border gets lighter per pixel, by least squares; x and y are independent on a frame. */
function slopeOf(plane: Float32Array, border: readonly number[], width: number): { x: number; y: number } {
  const mean = (f: (i: number) => number): number => border.reduce((sum, i) => sum + f(i), 0) / border.length;
  const value = mean((i) => plane[i] ?? 0);
  const slope = (coordinate: (i: number) => number): number => {
    const centre = mean(coordinate);
    const spread = mean((i) => (coordinate(i) - centre) ** 2);
    return mean((i) => (coordinate(i) - centre) * ((plane[i] ?? 0) - value)) / Math.max(spread, 1);
  };
  return { x: slope((i) => i % width), y: slope((i) => Math.floor(i / width)) };
}

interface Kind {
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}

function kindsOf(features: Float32Array, border: readonly number[]): Kind[] {
  const points = new Float32Array(border.length * FEATURES);
  for (const [k, i] of border.entries())
    for (let d = 0; d < FEATURES; d++)
      points[k * FEATURES + d] = (features[i * FEATURES + d] ?? 0) / (FLOOR[d] ?? 1);
  const { of, k } = kMeans(points, FEATURES, KINDS_OF_BACKGROUND);
  const members = Array.from({ length: k }, (): number[] => []);
  for (const [n, i] of border.entries()) members[of[n] ?? 0]?.push(i);
  return members
    .filter((own, _, all) => own.length >= LEAST_KIND * border.length || all.length === 1)
    .map((own) => kindOf(features, own));
}

function kindOf(features: Float32Array, pixels: readonly number[]): Kind {
  const mean: number[] = [];
  const deviation: number[] = [];
  for (const [d, floor] of FLOOR.entries()) {
    const values = pixels.map((i) => features[i * FEATURES + d] ?? 0);
    const centre = values.reduce((sum, v) => sum + v, 0) / values.length;
    const variance = values.reduce((sum, v) => sum + (v - centre) ** 2, 0) / values.length;
    mean.push(centre);
    deviation.push(Math.sqrt(variance + floor ** 2));
  }
  return { mean, deviation };
}

/** Roughness reaches over the outline: near it only a strange colour counts. */
function withoutRim(mask: Mask, features: Float32Array, kinds: readonly Kind[]): Mask {
  const core = erode(mask, ROUGHNESS_RADIUS + 1);
  const stays = (i: number): boolean =>
    core.at[i] === 1 || strangeness(features, i, kinds, COLOURS) > LEAST_SCORE;
  return maskOf(mask.width, mask.height, (i) => mask.at[i] === 1 && stays(i));
}

/**
 * Distance of a pixel to the nearest kind of background by its first `count` features, in standard
 * deviations.
 */
function strangeness(features: Float32Array, i: number, kinds: readonly Kind[], count: number): number {
  let least = Number.POSITIVE_INFINITY;
  for (const { mean, deviation } of kinds) {
    let sum = 0;
    for (let d = 0; d < count; d++)
      sum += (((features[i * FEATURES + d] ?? 0) - (mean[d] ?? 0)) / (deviation[d] ?? 1)) ** 2;
    least = Math.min(least, Math.sqrt(sum));
  }
  return least;
}
