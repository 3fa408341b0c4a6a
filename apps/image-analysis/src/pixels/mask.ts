import type { Box } from './analysis.js';

/** A set of pixels of a picture: 1 = in, 0 = out, row by row. */
export interface Mask {
  readonly width: number;
  readonly height: number;
  readonly at: Uint8Array;
}

export function maskOf(width: number, height: number, inside: (index: number) => boolean): Mask {
  const at = new Uint8Array(width * height);
  for (let i = 0; i < at.length; i++) at[i] = inside(i) ? 1 : 0;
  return { width, height, at };
}

export function area(mask: Mask): number {
  let count = 0;
  for (const value of mask.at) count += value;
  return count;
}

/** The pixels of `mask`, as indices in ascending order. */
export function pixelsOf(mask: Mask): Int32Array {
  const pixels = new Int32Array(area(mask));
  let next = 0;
  for (let i = 0; i < mask.at.length; i++) if (mask.at[i] === 1) pixels[next++] = i;
  return pixels;
}

/** The smallest box around the mask (right and bottom exclusive); null of an empty one. */
export function boxOf(mask: Mask): Box | null {
  return boxOfPixels(pixelsOf(mask), mask.width);
}

/** The smallest box around pixels of a picture of this width; null of none. */
export function boxOfPixels(pixels: Int32Array, width: number): Box | null {
  if (pixels.length === 0) return null;
  let [left, top, right, bottom] = [width, Number.POSITIVE_INFINITY, 0, 0];
  for (const i of pixels) {
    const x = i % width;
    const y = (i - x) / width;
    left = Math.min(left, x);
    right = Math.max(right, x + 1);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y + 1);
  }
  return { left, top, right, bottom };
}

/**
 * Sums over any rectangle in constant time (Crow, "Summed-area tables", 1984): `sum(x0, y0, x1, y1)`, ends
 * exclusive.
 */
export function boxSums(values: ArrayLike<number>, width: number, height: number) {
  const sums = new Float64Array((width + 1) * (height + 1));
  for (let y = 0; y < height; y++) {
    let row = 0;
    for (let x = 0; x < width; x++) {
      row += values[y * width + x] ?? 0;
      sums[(y + 1) * (width + 1) + x + 1] = (sums[y * (width + 1) + x + 1] ?? 0) + row;
    }
  }
  const corner = (x: number, y: number): number => sums[y * (width + 1) + x] ?? 0;
  return (x0: number, y0: number, x1: number, y1: number): number =>
    corner(x1, y1) - corner(x0, y1) - corner(x1, y0) + corner(x0, y0);
}

export function minus(mask: Mask, other: Mask): Mask {
  return maskOf(mask.width, mask.height, (i) => mask.at[i] === 1 && other.at[i] === 0);
}

/** Share of the mask in the square window of `radius` around every pixel. */
function density(mask: Mask, radius: number): Float32Array {
  const { width, height } = mask;
  const sum = boxSums(mask.at, width, height);
  const result = new Float32Array(width * height);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const [x0, x1] = [Math.max(0, x - radius), Math.min(width, x + radius + 1)];
      const [y0, y1] = [Math.max(0, y - radius), Math.min(height, y + radius + 1)];
      result[y * width + x] = sum(x0, y0, x1, y1) / ((x1 - x0) * (y1 - y0));
    }
  return result;
}

export function erode(mask: Mask, radius: number): Mask {
  const share = density(mask, radius);
  return maskOf(mask.width, mask.height, (i) => (share[i] ?? 0) > 0.999);
}

export function dilate(mask: Mask, radius: number): Mask {
  const share = density(mask, radius);
  return maskOf(mask.width, mask.height, (i) => (share[i] ?? 0) > 0.0001);
}

/** A pixel stays where most of its window is in: takes specks away and closes pinholes. */
export function majority(mask: Mask, radius: number): Mask {
  const share = density(mask, radius);
  return maskOf(mask.width, mask.height, (i) => (share[i] ?? 0) > 0.5);
}

/** Connected parts (4 neighbours), the largest first; equal ones in reading order. */
export function components(mask: Mask): Int32Array[] {
  const { width, height, at } = mask;
  const seen = new Uint8Array(at.length);
  const stack = new Int32Array(at.length);
  const parts: Int32Array[] = [];
  for (let start = 0; start < at.length; start++) {
    if (at[start] === 0 || seen[start] === 1) continue;
    const part: number[] = [];
    let depth = 0;
    stack[depth++] = start;
    seen[start] = 1;
    while (depth > 0) {
      const i = stack[--depth] ?? 0;
      part.push(i);
      const x = i % width;
      const visit = (next: number, allowed: boolean): void => {
        if (!allowed || at[next] === 0 || seen[next] === 1) return;
        seen[next] = 1;
        stack[depth++] = next;
      };
      visit(i - 1, x > 0);
      visit(i + 1, x < width - 1);
      visit(i - width, i >= width);
      visit(i + width, i < width * (height - 1));
    }
    parts.push(Int32Array.from(part));
  }
  return parts.toSorted((p, q) => q.length - p.length);
}

export function fromPixels(width: number, height: number, ...parts: readonly ArrayLike<number>[]): Mask {
  const at = new Uint8Array(width * height);
  for (const part of parts) for (let k = 0; k < part.length; k++) at[part[k] ?? 0] = 1;
  return { width, height, at };
}

/** The mask with its holes: whatever of the rest does not reach the picture's edge. */
export function fillHoles(mask: Mask): Mask {
  const { width, height } = mask;
  const outside = components(maskOf(width, height, (i) => mask.at[i] === 0)).filter((part) =>
    part.some((i) => {
      const x = i % width;
      return x === 0 || x === width - 1 || i < width || i >= width * (height - 1);
    }),
  );
  const open = fromPixels(width, height, ...outside);
  return maskOf(width, height, (i) => open.at[i] === 0);
}
