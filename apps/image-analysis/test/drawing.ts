import { toLabImage, type LabImage } from '../src/pixels/colour.js';
import { maskOf, type Mask } from '../src/pixels/mask.js';

export type Rgb = readonly [number, number, number];

/** A picture from a function of the place: what the specs draw with. */
export function draw(width: number, height: number, at: (x: number, y: number) => Rgb): LabImage {
  return toLabImage(pixels(width, height, at), width, height);
}

/** The same as interleaved bytes. */
export function pixels(width: number, height: number, at: (x: number, y: number) => Rgb): Uint8Array {
  const rgb = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) rgb.set(at(i % width, Math.floor(i / width)), 3 * i);
  return rgb;
}

/** A mask from a function of the place. */
export function region(width: number, height: number, at: (x: number, y: number) => boolean): Mask {
  return maskOf(width, height, (i) => at(i % width, Math.floor(i / width)));
}

/** A t-shirt as a child would cut it: trunk and two sleeves, in a picture of 200 x 200. */
export function isShirt(x: number, y: number): boolean {
  const trunk = x >= 65 && x < 135 && y >= 45 && y < 165;
  const sleeves = x >= 35 && x < 165 && y >= 45 && y < 85;
  return trunk || sleeves;
}
