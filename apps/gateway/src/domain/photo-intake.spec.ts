import { createHash } from 'node:crypto';
import sharp from 'sharp';
import { expect, it } from 'vitest';
import * as pictures from '../../test/pictures.js';
import { PhotoRefusedError, takeIn } from './photo-intake.js';

const refusal = async (bytes: Buffer): Promise<string> => {
  const error = await takeIn(bytes).catch((thrown: unknown) => thrown);
  if (!(error instanceof PhotoRefusedError)) throw new Error('it was not refused', { cause: error });
  return error.code;
};

it.each([
  ['JPEG', pictures.jpeg],
  ['PNG', pictures.png],
  ['WEBP', pictures.webp],
] as const)('takes a %s', async (mediaType, make) => {
  const photo = await takeIn(await make());
  expect(photo).toMatchObject({ mediaType, width: 64, height: 48 });
  expect(photo.contentHash).toBe(createHash('sha256').update(photo.bytes).digest('hex'));
});

it('applies the rotation of EXIF, then drops all metadata, the place first of all', async () => {
  const sent = await pictures.fromAPhone();
  expect(sent.includes('Telltale')).toBe(true);
  const photo = await takeIn(sent);
  expect([photo.width, photo.height]).toEqual([48, 64]);
  const { exif, orientation } = await sharp(photo.bytes).metadata();
  expect([exif, orientation]).toEqual([undefined, undefined]);
  expect(photo.bytes.includes('Telltale')).toBe(false);
});

it('the same bytes become the same photo', async () => {
  const sent = await pictures.jpeg();
  expect((await takeIn(sent)).contentHash).toBe((await takeIn(sent)).contentHash);
});

it.each([
  ['empty', () => Buffer.alloc(0)],
  ['unsupported', () => Buffer.from('this is a text file that is called .jpg')],
  ['unsupported', pictures.svg],
  ['unsupported', pictures.gif],
  ['unsupported', () => pictures.animated('gif')],
  ['animated', () => pictures.animated('webp')],
  ['unreadable', pictures.truncatedJpeg],
  ['unreadable', async () => (await pictures.png()).subarray(0, 150)],
  ['too-many-pixels', () => pictures.bomb()],
] as const)('refuses as %s: %s', async (code, make) => {
  expect(await refusal(await make())).toBe(code);
});
