import type { LabImage } from './colour.js';
import { boxSums, type Mask } from './mask.js';

/**
 * The cloth's pattern as one number per pixel: the strongest axis of colour change once light, folds and
 * the differences between garments (whatever is slower than `radius`) are taken off. Zero mean in any
 * neighbourhood.
 */
export interface Signal {
  readonly values: Float32Array;
  /** Distance in OKLab between the two halves of the signal. */
  readonly contrast: number;
  /** Where the signal is cut in two (Otsu, 1979), and the share of the variance that the cut explains. */
  readonly cut: number;
  readonly bimodality: number;
}

export function signalOf(image: LabImage, mask: Mask, pixels: Int32Array, radius: number): Signal {
  const planes = [image.l, image.a, image.b].map((plane) => fast(plane, mask, pixels, radius));
  const axis = principal(planes, pixels);
  const values = new Float32Array(mask.at.length);
  for (const i of pixels)
    values[i] = planes.reduce((sum, plane, d) => sum + (axis[d] ?? 0) * (plane[i] ?? 0), 0);
  return { values, ...otsu(values, pixels) };
}

/** The plane, smoothed by 3 x 3, minus its mean in the mask around. */
function fast(plane: Float32Array, mask: Mask, pixels: Int32Array, radius: number): Float32Array {
  const { width, height } = mask;
  const inside = boxSums(
    plane.map((v, i) => v * (mask.at[i] ?? 0)),
    width,
    height,
  );
  const count = boxSums(mask.at, width, height);
  const mean = (x: number, y: number, r: number): number => {
    const corners = [
      Math.max(0, x - r),
      Math.max(0, y - r),
      Math.min(width, x + r + 1),
      Math.min(height, y + r + 1),
    ];
    const [x0, y0, x1, y1] = corners as [number, number, number, number];
    return inside(x0, y0, x1, y1) / Math.max(1, count(x0, y0, x1, y1));
  };
  const result = new Float32Array(plane.length);
  for (const i of pixels) {
    const x = i % width;
    const y = (i - x) / width;
    result[i] = mean(x, y, 1) - mean(x, y, radius);
  }
  return result;
}

/** First principal axis of the three planes, by power iteration from a fixed start. */
function principal(planes: readonly Float32Array[], pixels: Int32Array): number[] {
  const covariance = planes.map((p) =>
    planes.map((q) => pixels.reduce((sum, i) => sum + (p[i] ?? 0) * (q[i] ?? 0), 0)),
  );
  let axis = [1, 0.1, 0.1];
  for (let round = 0; round < 24; round++) {
    const next = covariance.map((row) => row.reduce((sum, c, d) => sum + c * (axis[d] ?? 0), 0));
    const length = Math.hypot(...next);
    if (length < 1e-12) return [1, 0, 0];
    axis = next.map((v) => v / length);
  }
  return axis;
}

const BINS = 128;

/** The cut that parts the signal best in two, how well it does, and how far apart the halves' means are. */
function otsu(
  values: Float32Array,
  pixels: Int32Array,
): { cut: number; contrast: number; bimodality: number } {
  let reach = 1e-6;
  for (const i of pixels) reach = Math.max(reach, Math.abs(values[i] ?? 0));
  const histogram = new Float64Array(BINS);
  const at = (bin: number): number => ((bin + 0.5) / BINS) * 2 * reach - reach;
  for (const i of pixels) {
    const bin = Math.min(BINS - 1, Math.floor((((values[i] ?? 0) + reach) / (2 * reach)) * BINS));
    histogram[bin] = (histogram[bin] ?? 0) + 1 / pixels.length;
  }
  const mean = histogram.reduce((sum, share, bin) => sum + share * at(bin), 0);
  const variance = histogram.reduce((sum, share, bin) => sum + share * (at(bin) - mean) ** 2, 0);
  let best = { cut: 0, contrast: 0, between: 0 };
  let [below, belowSum] = [0, 0];
  for (let bin = 0; bin < BINS - 1; bin++) {
    below += histogram[bin] ?? 0;
    belowSum += (histogram[bin] ?? 0) * at(bin);
    if (below < 0.02 || below > 0.98) continue;
    const apart = (mean - belowSum) / (1 - below) - belowSum / below;
    const between = below * (1 - below) * apart ** 2;
    if (between > best.between) best = { cut: at(bin) + reach / BINS, contrast: apart, between };
  }
  return { cut: best.cut, contrast: best.contrast, bimodality: best.between / Math.max(variance, 1e-12) };
}
