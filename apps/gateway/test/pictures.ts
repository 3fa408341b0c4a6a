import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';

/** Pictures that a client may send, good and bad. All small, but the bomb once it is decoded. */
const RED = { create: { width: 64, height: 48, channels: 3, background: '#c02020' } } as const;

export const jpeg = (): Promise<Buffer> => sharp(RED).jpeg().toBuffer();
export const png = (): Promise<Buffer> => sharp(RED).png().toBuffer();
export const webp = (): Promise<Buffer> => sharp(RED).webp().toBuffer();
export const gif = (): Promise<Buffer> => sharp(RED).gif().toBuffer();

/** Two frames below each other, which the encoder takes for an animation. */
export function animated(format: 'gif' | 'webp'): Promise<Buffer> {
  const raw = { width: 8, height: 16, channels: 3, pageHeight: 8 } as const;
  const pixels = Buffer.from(Array.from({ length: 8 * 16 * 3 }, (_, i) => (i * 7) % 256));
  return sharp(pixels, { raw })[format]({ loop: 0 }).toBuffer();
}

/** Lies on its side, as phones store portraits, and tells where it was taken. */
export function fromAPhone(): Promise<Buffer> {
  return sharp(RED)
    .jpeg()
    .withExif({ IFD0: { Make: 'Telltale' }, IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '48/1 12/1 0/1' } })
    .withMetadata({ orientation: 6 })
    .toBuffer();
}

/** Half of a JPEG whose pixels take most of its bytes. */
export async function truncatedJpeg(): Promise<Buffer> {
  const noise = Buffer.from(Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * i * 31) % 256));
  const whole = await sharp(noise, { raw: { width: 64, height: 64, channels: 3 } })
    .jpeg()
    .toBuffer();
  return whole.subarray(0, whole.length / 2);
}

export const svg = (): Buffer =>
  Buffer.from(
    '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>',
  );

/** A PNG of 30,000 x 30,000 black pixels in about 100 kB. */
export function bomb(side = 30_000): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(side, 0);
  header.writeUInt32BE(side, 4);
  header.set([1, 0, 0, 0, 0], 8); // one bit of grey
  const rows = Buffer.alloc(side * (1 + Math.ceil(side / 8)));
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', deflateSync(rows)), chunk('IEND')]);
}

function chunk(type: string, data: Buffer = Buffer.alloc(0)): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'ascii'), data]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(data.length, 0);
  frame.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
}
