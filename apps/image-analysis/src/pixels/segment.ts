import { foregroundOf } from './background.js';
import type { LabImage } from './colour.js';
import { clothesOf, skinOf } from './cut.js';
import { MODEL_SIDE, type Picture } from './decode.js';
import { area, components, erode, fromPixels, maskOf, minus, type Mask } from './mask.js';
import { shapeOf, type Shape } from './shape.js';

/** Which pixels are garment; null where no garment was found. */
export interface Garment {
  readonly mask: Mask;
  readonly seen: 'person' | 'cut-out' | 'laid-out';
}

/** What a person is worth believing in: see `personOf`. */
const LEAST_PERSON = 0.03;
const LEAST_CERTAINTY = 0.8;
const LEAST_SKIN = 0.012;
const MOST_SKIN = 0.8;
const IN_ONE_PART = 0.28;

/**
 * Decides where the garment is, from the surest evidence to the least: transparency, a person, a lone
 * object.
 */
export function garmentOf(picture: Picture, image: LabImage, person: Float32Array): Garment | null {
  const cutOut = cutOutOf(picture);
  if (cutOut !== null) return { mask: cutOut, seen: 'cut-out' };
  const body = personOf(image, person);
  if (body !== null) {
    const mask = clothesOf(image, body);
    if (area(mask) > 0.08 * area(body)) return { mask, seen: 'person' };
  }
  const { mask, strangeness } = foregroundOf(image);
  const main = fromPixels(mask.width, mask.height, components(mask)[0] ?? []);
  return isGarmentLike(shapeOf(main), strangeness) ? { mask, seen: 'laid-out' } : null;
}

function cutOutOf({ alpha, width, height }: Picture): Mask | null {
  if (alpha === null) return null;
  const mask = maskOf(width, height, (i) => (alpha[i] ?? 255) > 127);
  const share = area(mask) / alpha.length;
  return share > 0.02 && share < 0.98 ? mask : null;
}

/**
 * The person of the segmenter's map, or null. The model also fires on cats, cups and shoes: a person is
 * believed only where the map is sure of its outline and some skin shows.
 */
export function personOf(image: LabImage, map: Float32Array): Mask | null {
  const { width, height } = image;
  const likely = (i: number): number => {
    const x = Math.floor((((i % width) + 0.5) * MODEL_SIDE) / width);
    const y = Math.floor(((Math.floor(i / width) + 0.5) * MODEL_SIDE) / height);
    return map[y * MODEL_SIDE + x] ?? 0;
  };
  const parts = components(maskOf(width, height, (i) => likely(i) > 0.5));
  const largest = parts[0]?.length ?? 0;
  const mask = fromPixels(width, height, ...parts.filter((part) => part.length > 0.1 * largest));
  const size = area(mask);
  if (size < LEAST_PERSON * width * height) return null;
  let certainty = 0;
  for (let i = 0; i < mask.at.length; i++) if (mask.at[i] === 1) certainty += likely(i) / size;
  if (certainty < LEAST_CERTAINTY) return null;
  return showsSkin(image, mask) ? mask : null;
}

/**
 * Whether some of the mask is skin as a person shows it: skin and the rest in few large parts, not woven
 * into each other.
 */
function showsSkin(image: LabImage, mask: Mask): boolean {
  const inner = erode(mask, 1);
  const skin = skinOf(image, inner);
  const largest = components(skin)[0]?.length ?? 0;
  const size = area(inner);
  if (largest < LEAST_SKIN * size || largest < IN_ONE_PART * area(skin) || area(skin) > MOST_SKIN * size)
    return false;
  const rest = components(minus(inner, skin))[0]?.length ?? 0;
  return rest > IN_ONE_PART * (size - area(skin));
}

/** Whether a lone object may be a garment. Balls, horizons and whole pictures are not; honest doubt stays. */
export function isGarmentLike(shape: Shape, strangeness: number): boolean {
  return (
    shape.areaShare > 0.04 &&
    shape.areaShare < 0.85 &&
    shape.edgeShare < 0.3 &&
    shape.ellipse < 0.9 &&
    shape.symmetry > 0.76 &&
    strangeness > 3
  );
}
