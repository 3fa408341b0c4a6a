import type { Lab } from './analysis.js';

/** sRGB byte -> linear light, for every byte. */
const LINEAR = Float32Array.from({ length: 256 }, (_, byte) => {
  const v = byte / 255;
  return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
});

/** A picture as three planes of OKLab, row by row: the space in which this analyser measures distances. */
export interface LabImage {
  readonly width: number;
  readonly height: number;
  readonly l: Float32Array;
  readonly a: Float32Array;
  readonly b: Float32Array;
}

/**
 * OKLab of one sRGB colour given in bytes (Ottosson, "A perceptual color space for image processing",
 * 2020).
 */
export function oklab(red: number, green: number, blue: number): Lab {
  const r = LINEAR[red] ?? 0;
  const g = LINEAR[green] ?? 0;
  const b = LINEAR[blue] ?? 0;
  const long = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const medium = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const short = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return {
    l: 0.2104542553 * long + 0.793617785 * medium - 0.0040720468 * short,
    a: 1.9779984951 * long - 2.428592205 * medium + 0.4505937099 * short,
    b: 0.0259040371 * long + 0.7827717662 * medium - 0.808675766 * short,
  };
}

/** The planes of an interleaved 8-bit RGB picture. */
export function toLabImage(rgb: Uint8Array, width: number, height: number): LabImage {
  const size = width * height;
  const image = {
    width,
    height,
    l: new Float32Array(size),
    a: new Float32Array(size),
    b: new Float32Array(size),
  };
  for (let i = 0; i < size; i++) {
    const lab = oklab(rgb[3 * i] ?? 0, rgb[3 * i + 1] ?? 0, rgb[3 * i + 2] ?? 0);
    image.l[i] = lab.l;
    image.a[i] = lab.a;
    image.b[i] = lab.b;
  }
  return image;
}

/** The value at `fraction` (0..1) of the sorted values; 0 of none. */
export function quantile(values: ArrayLike<number>, fraction: number): number {
  const sorted = Float32Array.from(values).toSorted();
  if (sorted.length === 0) return 0;
  return sorted[Math.min(sorted.length - 1, Math.floor(fraction * sorted.length))] ?? 0;
}

/** Hue angle in degrees (0..360) and chroma of an OKLab colour. */
export function polar(a: number, b: number): { hue: number; chroma: number } {
  const hue = (Math.atan2(b, a) * 180) / Math.PI;
  return { hue: hue < 0 ? hue + 360 : hue, chroma: Math.hypot(a, b) };
}
