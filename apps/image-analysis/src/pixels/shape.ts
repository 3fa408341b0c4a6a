import { area, boxOf, pixelsOf, type Mask } from './mask.js';

/** Measures of an outline that tell a garment laid flat from other things. All 0..1 but `aspect`. */
export interface Shape {
  readonly areaShare: number;
  /** Share of the picture's edge that the mask covers. */
  readonly edgeShare: number;
  /** Overlap with the ellipse of the same moments: a ball, a face or an egg is near 1. */
  readonly ellipse: number;
  /** Overlap with its mirror image left to right. */
  readonly symmetry: number;
  /** Share of its own box that it fills. */
  readonly fill: number;
  readonly aspect: number;
}

export function shapeOf(mask: Mask): Shape {
  const size = area(mask);
  const box = boxOf(mask);
  if (box === null) return { areaShare: 0, edgeShare: 0, ellipse: 0, symmetry: 0, fill: 0, aspect: 1 };
  const [w, h] = [box.right - box.left, box.bottom - box.top];
  return {
    areaShare: size / mask.at.length,
    edgeShare: edgeShare(mask),
    ellipse: ellipse(mask, size),
    symmetry: symmetry(mask, size),
    fill: size / (w * h),
    aspect: w / h,
  };
}

function edgeShare({ width, height, at }: Mask): number {
  let touching = 0;
  for (let x = 0; x < width; x++) touching += (at[x] ?? 0) + (at[(height - 1) * width + x] ?? 0);
  for (let y = 0; y < height; y++) touching += (at[y * width] ?? 0) + (at[y * width + width - 1] ?? 0);
  return touching / (2 * (width + height));
}

interface Moments {
  readonly x: number;
  readonly y: number;
  readonly xx: number;
  readonly yy: number;
  readonly xy: number;
}

function momentsOf({ width, at }: Mask, size: number): Moments {
  let [x, y, xx, yy, xy] = [0, 0, 0, 0, 0];
  for (let i = 0; i < at.length; i++) {
    if (at[i] === 0) continue;
    const px = i % width;
    const py = (i - px) / width;
    x += px / size;
    y += py / size;
    xx += (px * px) / size;
    yy += (py * py) / size;
    xy += (px * py) / size;
  }
  return { x, y, xx: xx - x * x, yy: yy - y * y, xy: xy - x * y };
}

/** Intersection over union with the ellipse of equal second moments. */
function ellipse(mask: Mask, size: number): number {
  const m = momentsOf(mask, size);
  const determinant = Math.max(m.xx * m.yy - m.xy * m.xy, 1e-6);
  let [both, either] = [0, 0];
  for (let i = 0; i < mask.at.length; i++) {
    const dx = (i % mask.width) - m.x;
    const dy = Math.floor(i / mask.width) - m.y;
    const within = (m.yy * dx * dx - 2 * m.xy * dx * dy + m.xx * dy * dy) / determinant <= 4;
    if (within && mask.at[i] === 1) both++;
    if (within || mask.at[i] === 1) either++;
  }
  return both / Math.max(either, 1);
}

const TILTS = [0, -5, 5, -10, 10, -15, 15, -20, 20, -25, 25];
const ENOUGH_POINTS = 1500;

/**
 * Best overlap with the mirror image over an axis through the centre of mass that is at most 25 degrees
 * from upright.
 */
function symmetry(mask: Mask, size: number): number {
  const { x, y } = momentsOf(mask, size);
  const all = pixelsOf(mask);
  const step = Math.max(1, Math.floor(all.length / ENOUGH_POINTS));
  const points = all.filter((_, k) => k % step === 0);
  let best = 0;
  for (const tilt of TILTS)
    for (const shift of [-4, -2, 0, 2, 4]) {
      const found = mirrored(mask, points, { x: x + shift, y }, (tilt * Math.PI) / 180) / points.length;
      best = Math.max(best, found / (2 - found));
    }
  return best;
}

/** How many of the points fall into the mask when mirrored over the axis. */
function mirrored(
  { width, height, at }: Mask,
  points: Int32Array,
  axis: { x: number; y: number },
  tilt: number,
): number {
  const [nx, ny] = [Math.cos(tilt), Math.sin(tilt)];
  let found = 0;
  for (const i of points) {
    const px = i % width;
    const py = (i - px) / width;
    const away = 2 * ((px - axis.x) * nx + (py - axis.y) * ny);
    const [mx, my] = [Math.round(px - away * nx), Math.round(py - away * ny)];
    if (mx >= 0 && mx < width && my >= 0 && my < height) found += at[my * width + mx] ?? 0;
  }
  return found;
}
