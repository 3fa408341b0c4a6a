import { area, boxOf, type Mask } from './mask.js';

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

/** Best overlap with the mirror image over a vertical axis near the centre of mass. */
function symmetry(mask: Mask, size: number): number {
  const { width, height, at } = mask;
  const centre = Math.round(2 * momentsOf(mask, size).x);
  let best = 0;
  for (let sum = centre - 8; sum <= centre + 8; sum++) {
    let both = 0;
    for (let y = 0; y < height; y++)
      for (let x = Math.max(0, sum - width + 1); x < Math.min(width, sum + 1); x++)
        both += (at[y * width + x] ?? 0) * (at[y * width + sum - x] ?? 0);
    best = Math.max(best, both / (2 * size - both));
  }
  return best;
}
