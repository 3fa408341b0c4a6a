import { polar, type LabImage } from './colour.js';
import { area, boxOf, components, fromPixels, majority, maskOf, minus, type Mask } from './mask.js';

/**
 * Takes what is not clothes away from a person: head, skin, hair. By colour and by outline only, so a cloth
 * of the skin's own hue can be hurt; the rules below say where they hold back.
 */

/** Hue, chroma and lightness of human skin in OKLab, all tones, fair light. */
export function isSkin(l: number, a: number, b: number): boolean {
  const { hue, chroma } = polar(a, b);
  return hue > 30 && hue < 80 && chroma > 0.025 && chroma < 0.13 && l > 0.18 && l < 0.97;
}

/** Over this share of skin below the head, "skin" is a cloth of that hue. */
const TOO_MUCH_SKIN = 0.6;
const HAIR_LIGHTNESS = 0.4;
const HAIR_CHROMA = 0.06;

export function skinOf(image: LabImage, within: Mask): Mask {
  const { width, height } = within;
  const skin = maskOf(
    width,
    height,
    (i) => within.at[i] === 1 && isSkin(image.l[i] ?? 0, image.a[i] ?? 0, image.b[i] ?? 0),
  );
  return majority(skin, 1);
}

/** The clothes of `person`: may be empty. */
export function clothesOf(image: LabImage, person: Mask): Mask {
  const { width, height } = person;
  const box = boxOf(person);
  if (box === null) return person;
  const neck = neckOf(person, box.top, box.bottom);
  const body = maskOf(width, height, (i) => person.at[i] === 1 && i >= neck * width);
  const skin = skinOf(image, body);
  const bare = area(skin) > TOO_MUCH_SKIN * area(body) ? body : minus(body, skin);
  const hair = hairOf(image, person, box.top + 0.15 * (box.bottom - box.top));
  const shorn = minus(bare, hair);
  const cloth = majority(area(shorn) > 0.2 * area(bare) ? shorn : bare, 2);
  const parts = components(cloth);
  const largest = parts[0]?.length ?? 0;
  return fromPixels(width, height, ...parts.filter((part) => part.length > 0.08 * largest));
}

/**
 * The row where the head ends: the narrowest one with something clearly wider above (the head) and below (the
 * shoulders). The first row of the person where there is no such waist.
 */
export function neckOf(person: Mask, top: number, bottom: number): number {
  const widths: number[] = [];
  for (let y = top; y < bottom; y++) {
    let count = 0;
    for (let x = 0; x < person.width; x++) count += person.at[y * person.width + x] ?? 0;
    widths.push(count);
  }
  let best = { row: top, depth: 0.85 };
  for (let k = 1; k < 0.85 * widths.length; k++) {
    const own = widths[k] ?? 0;
    const head = Math.max(...widths.slice(0, k));
    const shoulders = Math.max(...widths.slice(k));
    const depth = Math.max(own / head, (1.5 * own) / shoulders, head > 0.75 * shoulders ? 1 : 0);
    if (depth < best.depth) best = { row: top + k, depth };
  }
  return best.row;
}

/** Dark, hardly coloured parts that reach up into the top of the person. */
function hairOf(image: LabImage, person: Mask, crown: number): Mask {
  const { width, height } = person;
  const dark = maskOf(width, height, (i) => {
    const chroma = Math.hypot(image.a[i] ?? 0, image.b[i] ?? 0);
    return person.at[i] === 1 && (image.l[i] ?? 1) < HAIR_LIGHTNESS && chroma < HAIR_CHROMA;
  });
  const parts = components(majority(dark, 1)).filter((part) => part.some((i) => i < crown * width));
  return fromPixels(width, height, ...parts);
}
