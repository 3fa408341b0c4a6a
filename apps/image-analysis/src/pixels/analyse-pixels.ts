import type { Analysis, Box } from './analysis.js';
import { toLabImage } from './colour.js';
import type { Picture } from './decode.js';
import { formalityOf } from './formality.js';
import { lightOf } from './light.js';
import { boxOf, pixelsOf, type Mask } from './mask.js';
import { paletteOf } from './palette.js';
import { patternOf } from './pattern.js';
import { garmentOf } from './segment.js';

/** Raise it with every change that may give the same bytes another answer. */
export const MODEL = 'aura-pixels-1+mediapipe-selfie-0.1.1675465747';

/** Everything after decoding and segmenting: from pixels and the person's map to the answer. Pure. */
export function analysePixels(picture: Picture, person: Float32Array): Analysis {
  const image = toLabImage(picture.rgb, picture.width, picture.height);
  const garment = garmentOf(picture, image, person);
  if (garment === null) {
    return {
      garment: { present: false, box: null },
      palette: [],
      pattern: { kind: 'PLAIN', confidence: 0 },
      ...lightOf(image, Int32Array.from(image.l.keys())),
      formality: formalityOf([], { kind: 'PLAIN', confidence: 0 }),
      model: MODEL,
    };
  }
  const pattern = patternOf(image, garment.mask);
  const palette = paletteOf(image, garment.mask, pattern.kind);
  return {
    garment: { present: true, box: originalBox(garment.mask, picture) },
    palette,
    pattern,
    ...lightOf(image, pixelsOf(garment.mask)),
    formality: formalityOf(palette, pattern),
    model: MODEL,
  };
}

/** The mask's box in pixels of the upright original. */
function originalBox(mask: Mask, { original }: Picture): Box | null {
  const box = boxOf(mask);
  if (box === null) return null;
  const [sx, sy] = [original.width / mask.width, original.height / mask.height];
  return {
    left: Math.floor(box.left * sx),
    top: Math.floor(box.top * sy),
    right: Math.min(original.width, Math.ceil(box.right * sx)),
    bottom: Math.min(original.height, Math.ceil(box.bottom * sy)),
  };
}
