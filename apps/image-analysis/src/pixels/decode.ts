import sharp, { type Sharp } from 'sharp';

/** Longest side of the picture that is analysed, in pixels: bounds time and memory whatever was sent. */
export const WORK_SIDE = 288;
/** Pixels on each side of the square that the segmenter looks at; the picture is stretched to it. */
export const MODEL_SIDE = 256;
/** A picture with more pixels is refused before it is decoded. */
export const MAX_PIXELS = 40_000_000;

const FORMATS = new Set(['jpeg', 'png', 'webp']);

/** A picture ready to be analysed: upright, in sRGB, without metadata. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  /** Interleaved 8-bit RGB, transparent parts on white. */
  readonly rgb: Uint8Array;
  /** 255 = opaque; null where the file has no transparency. */
  readonly alpha: Uint8Array | null;
  /** The same picture as the segmenter wants it: `MODEL_SIDE` squared, interleaved RGB. */
  readonly model: Uint8Array;
  /** Size of the upright original, in pixels. */
  readonly original: { readonly width: number; readonly height: number };
}

/** Bytes that are no picture this analyser reads; `message` says why. Stays inside the worker. */
export class NotAPicture extends Error {}

/**
 * Reads JPEG, PNG or WebP (the first frame of an animated one), applies the EXIF rotation, converts to sRGB
 * and scales down. Throws `NotAPicture`. Memory: the decoder streams rows where the format allows it, so a
 * large picture costs a few rows, not its area; `MAX_PIXELS` bounds the rest.
 */
export async function decode(bytes: Uint8Array): Promise<Picture> {
  try {
    const { upright, original } = await open(bytes);
    const { data, info } = await upright.raw().toBuffer({ resolveWithObject: true });
    const { rgb, alpha } = split(data, info.channels);
    const model = await sharp(rgb, { raw: { width: info.width, height: info.height, channels: 3 } })
      .resize(MODEL_SIDE, MODEL_SIDE, { fit: 'fill' })
      .raw()
      .toBuffer();
    return { width: info.width, height: info.height, rgb, alpha, model, original };
  } catch (error) {
    if (error instanceof NotAPicture) throw error;
    throw new NotAPicture(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

async function open(bytes: Uint8Array): Promise<{ upright: Sharp; original: Picture['original'] }> {
  const image = sharp(bytes, { limitInputPixels: MAX_PIXELS, failOn: 'error', sequentialRead: true });
  const { format, autoOrient } = await image.metadata();
  if (!FORMATS.has(format))
    throw new NotAPicture(`a ${format} file is not read, only JPEG, PNG and WebP are`);
  const upright = image
    .autoOrient()
    .resize(WORK_SIDE, WORK_SIDE, { fit: 'inside', withoutEnlargement: true })
    .toColourspace('srgb');
  return { upright, original: autoOrient };
}

/** Takes alpha away: colours on white in `rgb`, the opacity beside it. Grey pictures become RGB. */
function split(data: Uint8Array, channels: number): { rgb: Uint8Array; alpha: Uint8Array | null } {
  const size = data.length / channels;
  const grey = channels < 3;
  const rgb = new Uint8Array(size * 3);
  const alpha = channels % 2 === 0 ? new Uint8Array(size) : null;
  for (let i = 0; i < size; i++) {
    const opacity = alpha === null ? 255 : (data[i * channels + channels - 1] ?? 255);
    if (alpha !== null) alpha[i] = opacity;
    for (let c = 0; c < 3; c++) {
      const value = data[i * channels + (grey ? 0 : c)] ?? 0;
      rgb[3 * i + c] = Math.round((value * opacity + 255 * (255 - opacity)) / 255);
    }
  }
  return { rgb, alpha };
}
