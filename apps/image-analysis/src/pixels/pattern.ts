import type { Analysis } from './analysis.js';
import type { LabImage } from './colour.js';
import { area, boxOfPixels, components, erode, maskOf, pixelsOf, type Mask } from './mask.js';
import { signalOf, type Signal } from './signal.js';

type Pattern = Analysis['pattern'];

/**
 * Plain unless there is evidence: OKLab distance between the pattern's two tones below which it is folds
 * and noise.
 */
const LEAST_CONTRAST = 0.07;
const ANGLE_STEP = 5;
const FEWEST_TURNS = 5;
const FEWEST_DOTS = 6;

/**
 * Kind of pattern inside the mask, by structure: how much of the signal its averages along each direction
 * explain (stripes: one direction; checks: two at right angles), and whether it falls into small round
 * islands (dots).
 */
export function patternOf(image: LabImage, mask: Mask): Pattern {
  const size = area(mask);
  const region = erode(mask, 2);
  const pixels = pixelsOf(region);
  if (pixels.length < 400) return { kind: 'PLAIN', confidence: 0.3 };
  const signal = signalOf(image, region, pixels, Math.max(8, Math.round(0.2 * Math.sqrt(size))));
  return decide(measure(signal, region, pixels));
}

/** Everything the decision looks at. */
export interface Evidence {
  readonly contrast: number;
  readonly bimodality: number;
  /**
   * Share of the variance that the averages along the best direction explain, and along the one across it.
   */
  readonly along: number;
  readonly across: number;
  /** How often the average turns from one tone to the other along the best direction. */
  readonly turns: number;
  readonly dots: { readonly count: number; readonly round: number; readonly share: number };
}

export function measure(signal: Signal, region: Mask, pixels: Int32Array): Evidence {
  const variance = pixels.reduce((sum, i) => sum + (signal.values[i] ?? 0) ** 2, 0);
  const profiles = Array.from({ length: 180 / ANGLE_STEP }, (_, k) =>
    profileOf(signal.values, region, pixels, k * ANGLE_STEP, variance),
  );
  let best = 0;
  for (const [k, { explained }] of profiles.entries())
    if (explained > (profiles[best]?.explained ?? 0)) best = k;
  const square = (best + 90 / ANGLE_STEP) % profiles.length;
  return {
    contrast: signal.contrast,
    bimodality: signal.bimodality,
    along: profiles[best]?.explained ?? 0,
    across: profiles[square]?.explained ?? 0,
    turns: profiles[best]?.turns ?? 0,
    dots: dotsOf(signal, region, pixels),
  };
}

/** Averages of the signal over lines at right angles to `degrees`. */
function profileOf(
  values: Float32Array,
  { width, height }: Mask,
  pixels: Int32Array,
  degrees: number,
  variance: number,
): { explained: number; turns: number } {
  const [cos, sin] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
  const offset = width + height;
  const sums = new Float64Array(2 * offset);
  const counts = new Int32Array(2 * offset);
  for (const i of pixels) {
    const x = i % width;
    const line = Math.round(x * cos + ((i - x) / width) * sin) + offset;
    sums[line] = (sums[line] ?? 0) + (values[i] ?? 0);
    counts[line] = (counts[line] ?? 0) + 1;
  }
  const explained =
    sums.reduce((sum, s, k) => sum + s ** 2 / Math.max(1, counts[k] ?? 0), 0) / Math.max(variance, 1e-12);
  return { explained, turns: turnsOf(sums, counts, variance / pixels.length) };
}

/** Changes of sign of the profile, counted only where it gets clearly away from zero. */
function turnsOf(sums: Float64Array, counts: Int32Array, variance: number): number {
  const least = 0.35 * Math.sqrt(variance);
  let [side, turns] = [0, 0];
  for (const [k, sum] of sums.entries()) {
    if ((counts[k] ?? 0) < 4) continue;
    const mean = sum / (counts[k] ?? 1);
    const now = mean > least ? 1 : mean < -least ? -1 : side;
    if (side !== 0 && now !== side) turns++;
    side = now;
  }
  return turns;
}

/**
 * The islands of the rarer tone: how many of like size, the share of them that is round, and their share of
 * the cloth.
 */
function dotsOf(signal: Signal, region: Mask, pixels: Int32Array): Evidence['dots'] {
  const high = maskOf(
    region.width,
    region.height,
    (i) => region.at[i] === 1 && (signal.values[i] ?? 0) > signal.cut,
  );
  const low = maskOf(
    region.width,
    region.height,
    (i) => region.at[i] === 1 && (signal.values[i] ?? 0) <= signal.cut,
  );
  const rare = area(high) < area(low) ? high : low;
  const islands = components(rare).filter((part) => part.length >= 6);
  const middle = islands[Math.floor(islands.length / 2)]?.length ?? 0;
  const alike = islands.filter((part) => part.length > 0.5 * middle && part.length < 2 * middle);
  const covered = alike.reduce((sum, part) => sum + part.length, 0);
  const round = alike.filter((part) => isRound(part, region.width)).length;
  return {
    count: alike.length,
    round: (round / Math.max(1, alike.length)) * (covered / Math.max(1, area(rare))),
    share: area(rare) / pixels.length,
  };
}

function isRound(part: Int32Array, width: number): boolean {
  const box = boxOfPixels(part, width);
  if (box === null) return false;
  const [w, h] = [box.right - box.left, box.bottom - box.top];
  const fill = part.length / (w * h);
  return Math.max(w, h) <= 1.6 * Math.min(w, h) + 1 && fill > 0.55 && fill < 0.93;
}

/** How far above its border a value is: 0 at it, 1 at twice of it. */
const clear = (value: number, border: number): number => Math.min(1, Math.max(0, value / border - 1));

/**
 * From evidence to a kind. Pure; the confidence grows with the distance to the nearest border of the
 * decision.
 */
export function decide(evidence: Evidence): Pattern {
  const { contrast, along, across, turns, dots, bimodality } = evidence;
  if (contrast < LEAST_CONTRAST)
    return { kind: 'PLAIN', confidence: 0.5 + 0.5 * (1 - contrast / LEAST_CONTRAST) };
  const sure = (kind: Pattern['kind'], ...margins: readonly number[]): Pattern => ({
    kind,
    confidence: 0.5 + 0.5 * Math.min(clear(contrast, LEAST_CONTRAST), ...margins),
  });
  const isDotted = dots.count >= FEWEST_DOTS && dots.round > 0.5 && dots.share < 0.5 && bimodality > 0.72;
  if (isDotted) return sure('DOTTED', clear(dots.round, 0.5), clear(dots.count, FEWEST_DOTS - 1));
  const isRegular = turns >= FEWEST_TURNS && along > 0.25 && bimodality > 0.6;
  if (isRegular && across > 0.4 * along) return sure('CHECKED', clear(along + across, 0.45));
  if (isRegular && along > 0.35) return sure('STRIPED', clear(along, 0.35), clear(turns, FEWEST_TURNS - 1));
  const isDrawn = contrast > 2 * LEAST_CONTRAST && bimodality > 0.75 && dots.share > 0.12 && dots.count >= 4;
  if (isDrawn) return { kind: 'OTHER', confidence: 0.5 };
  return { kind: 'PLAIN', confidence: 0.4 };
}
