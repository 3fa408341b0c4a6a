/**
 * What happens to a picture at the door, before anything is stored.
 *
 * - the type is what the bytes say, not what the client says;
 * - limits on bytes and pixels hold before any pixel is decoded (a bomb of 30,000 x 30,000 costs a header);
 * - the whole picture is decoded once: a truncated one is refused here, not found by a reader;
 * - EXIF rotation is applied, then all metadata is dropped (GPS, camera, thumbnails), colours are sRGB.
 */
import { createHash } from 'node:crypto';
import sharp, { type Metadata, type OutputInfo, type Sharp } from 'sharp';

/** Checked while the upload arrives; what gets here is within it. */
export const MAX_PHOTO_BYTES = 10_000_000;
export const MAX_PHOTO_PIXELS = 40_000_000;

export type MediaType = 'JPEG' | 'PNG' | 'WEBP';

export interface CleanPhoto {
  readonly bytes: Buffer;
  readonly mediaType: MediaType;
  readonly width: number;
  readonly height: number;
  /** SHA-256 of `bytes`, hex. */
  readonly contentHash: string;
}

/** Why a picture is refused: `code` is stable, `message` is for people. */
export class PhotoRefusedError extends Error {
  override readonly name = 'PhotoRefusedError';
  constructor(
    readonly code: 'empty' | 'unsupported' | 'animated' | 'too-many-pixels' | 'unreadable',
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/**
 * How the three begin. Other decoders are never started: an SVG would be parsed whole before it is refused.
 */
function sniff(bytes: Buffer): MediaType | undefined {
  if (bytes.subarray(0, 3).equals(Buffer.from([0xff, 0xd8, 0xff]))) return 'JPEG';
  if (bytes.subarray(0, 8).equals(Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])))
    return 'PNG';
  const riff = bytes.toString('latin1', 0, 4) === 'RIFF' && bytes.toString('latin1', 8, 12) === 'WEBP';
  return riff ? 'WEBP' : undefined;
}

/** Checks and cleans a picture. Throws `PhotoRefusedError`; anything else is a fault of ours. */
export async function takeIn(bytes: Buffer): Promise<CleanPhoto> {
  if (bytes.length === 0) throw new PhotoRefusedError('empty', 'the photo has no bytes');
  const mediaType = await identify(bytes);
  const { data, info } = await clean(bytes, mediaType);
  return {
    bytes: data,
    mediaType,
    width: info.width,
    height: info.height,
    contentHash: createHash('sha256').update(data).digest('hex'),
  };
}

/** Reads the header only. */
async function identify(bytes: Buffer): Promise<MediaType> {
  const mediaType = sniff(bytes);
  if (!mediaType)
    throw new PhotoRefusedError('unsupported', 'these bytes are no JPEG, PNG or WebP: send one of these');
  let header: Metadata;
  try {
    header = await sharp(bytes, { limitInputPixels: false }).metadata();
  } catch (cause) {
    throw new PhotoRefusedError('unreadable', 'the picture is damaged or cut off: send it again', { cause });
  }
  if ((header.pages ?? 1) > 1)
    throw new PhotoRefusedError('animated', `the picture has ${header.pages} frames: send a still one`);
  const pixels = header.width * header.height;
  if (pixels > MAX_PHOTO_PIXELS)
    throw new PhotoRefusedError(
      'too-many-pixels',
      `${header.width} x ${header.height} is over ${MAX_PHOTO_PIXELS / 1e6} megapixels: send a smaller one`,
    );
  return mediaType;
}

async function clean(bytes: Buffer, mediaType: MediaType): Promise<{ data: Buffer; info: OutputInfo }> {
  const picture = sharp(bytes, { limitInputPixels: MAX_PHOTO_PIXELS, failOn: 'truncated' })
    .autoOrient()
    .toColourspace('srgb');
  try {
    return await encode(picture, mediaType).toBuffer({ resolveWithObject: true });
  } catch (cause) {
    throw new PhotoRefusedError('unreadable', 'the picture is damaged or cut off: send it again', { cause });
  }
}

function encode(picture: Sharp, mediaType: MediaType): Sharp {
  switch (mediaType) {
    case 'JPEG':
      return picture.jpeg({ quality: 92 });
    case 'PNG':
      return picture.png();
    case 'WEBP':
      return picture.webp({ quality: 92 });
    default:
      return mediaType satisfies never;
  }
}
