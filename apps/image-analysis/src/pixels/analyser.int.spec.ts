import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { kindOf } from '@aura/platform';
import { afterAll, describe, expect, it } from 'vitest';
import { isShirt, pixels } from '../../test/drawing.js';
import { Analyser } from './analyser.js';
import { AnalyserBusyError, AnalysisTimeoutError, UnreadablePictureError } from './errors.js';

// Invariants A1-A4 of analyser.ts, with real worker threads, the real model and real photos
// (photos/CREDITS.md).
const photo = (file: string): Promise<Buffer> =>
  readFile(new URL(`../../../../photos/${file}`, import.meta.url));
const PATIENT = { timeLimitMs: 300_000 };
const HANGING = new URL('../../test/hanging-worker.mjs', import.meta.url);

const analyser = new Analyser({ ...PATIENT, threads: 1 });
afterAll(() => analyser.close());

/** A red t-shirt on a wall, 200 x 200. */
const shirt = () => {
  const rgb = pixels(200, 200, (x, y) => (isShirt(x, y) ? [200, 30, 40] : [212, 208, 200]));
  return sharp(rgb, { raw: { width: 200, height: 200, channels: 3 } });
};

/** A plain PNG, 8000 pixels wide. */
const large = (height: number) =>
  sharp({ create: { width: 8000, height, channels: 3, background: '#2040a0' } })
    .png()
    .toBuffer();

describe('real photos', () => {
  it('sees a plain blue shirt, not the beige building before it', async () => {
    const answer = await analyser.analyse(await photo('d04-blue-denim-shirt.jpg'));
    expect(answer.garment.present).toBe(true);
    expect(answer.garment.box?.top).toBeGreaterThan(300);
    expect(['blue', 'light blue']).toContain(answer.palette[0]?.name);
    expect(answer.palette.map((colour) => colour.name)).not.toContain('beige');
    expect(answer.pattern.kind).toBe('PLAIN');
    expect(answer.temperature).toBe('COOL');
    expect(answer.formality.level).toBe('CASUAL');
  });

  it('sees an orange top and dark denim shorts, not the striped handrail', async () => {
    const answer = await analyser.analyse(await photo('d05-orange-top-denim-shorts.jpg'));
    expect(['orange', 'red']).toContain(answer.palette[0]?.name);
    expect(answer.palette.some((colour) => ['navy', 'blue', 'teal'].includes(colour.name))).toBe(true);
    expect(answer.garment.box?.right).toBeLessThan(330);
    expect(answer.pattern.kind).toBe('PLAIN');
  });

  it('A1: answers the same bytes the same, on another thread as well', async () => {
    const bytes = await photo('d05-orange-top-denim-shorts.jpg');
    const other = new Analyser({ ...PATIENT, threads: 1 });
    const answers = await Promise.all([
      analyser.analyse(bytes),
      analyser.analyse(bytes),
      other.analyse(bytes),
    ]);
    await other.close();
    expect(answers[1]).toEqual(answers[0]);
    expect(answers[2]).toEqual(answers[0]);
  });
});

describe('file formats', () => {
  it('reads PNG with alpha, WebP, and an EXIF-turned JPEG upright', async () => {
    const opacity = Buffer.from(
      pixels(200, 200, (x, y) => (isShirt(x, y) ? [255, 0, 0] : [0, 0, 0])).filter((_, k) => k % 3 === 0),
    );
    const cutOut = await shirt()
      .joinChannel(opacity, { raw: { width: 200, height: 200, channels: 1 } })
      .png()
      .toBuffer();
    const lying = await shirt().resize(100, 200, { fit: 'fill' }).rotate(270).png().toBuffer();
    const turned = await sharp(lying).withMetadata({ orientation: 6 }).jpeg().toBuffer();
    expect(await sharp(turned).metadata()).toMatchObject({ width: 200, height: 100 });
    for (const bytes of [cutOut, await shirt().webp().toBuffer()]) {
      const { garment, palette } = await analyser.analyse(bytes);
      expect(garment.box?.left).toBeGreaterThanOrEqual(33);
      expect(garment.box?.right).toBeLessThanOrEqual(167);
      expect(palette[0]?.name).toBe('red');
    }
    const upright = (await analyser.analyse(turned)).garment.box;
    expect(upright?.bottom).toBeGreaterThan(140);
    expect(upright?.right).toBeLessThanOrEqual(100);
  });

  it('reads a grey JPEG', async () => {
    const bytes = await shirt().greyscale().toColourspace('b-w').jpeg().toBuffer();
    expect((await sharp(bytes).metadata()).channels).toBe(1);
    const { palette } = await analyser.analyse(bytes);
    expect(['grey', 'black']).toContain(palette[0]?.name);
  });

  it('says that there is no garment: on a wall, in a pixel', async () => {
    const wall = { create: { width: 300, height: 200, channels: 3, background: '#d8d4cc' } } as const;
    const pixel = { create: { width: 1, height: 1, channels: 3, background: '#c81e28' } } as const;
    for (const empty of [wall, pixel]) {
      const answer = await analyser.analyse(await sharp(empty).jpeg().toBuffer());
      expect(answer.garment).toEqual({ present: false, box: null });
      expect(answer.palette).toEqual([]);
      expect(answer.formality.level).toBe('UNKNOWN');
    }
  });

  it('A3: reads 40 megapixels in little memory, refuses more', async () => {
    const bytes = await large(5000);
    // The thread and the model are not what is measured.
    await analyser.analyse(await shirt().png().toBuffer());
    const before = process.memoryUsage.rss();
    await analyser.analyse(bytes);
    // Undecoded it would be 120 MB in one plane of bytes.
    expect(process.memoryUsage.rss() - before).toBeLessThan(100e6);
    await expect(analyser.analyse(await large(5001))).rejects.toBeInstanceOf(UnreadablePictureError);
  });

  it.each([
    ['nothing', () => Buffer.alloc(0)],
    ['text', () => Buffer.from('not a picture at all, whatever it is called')],
    [
      'SVG',
      () =>
        Buffer.from(
          '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>',
        ),
    ],
    ['a JPEG cut in half', async () => (await photo('d05-orange-top-denim-shorts.jpg')).subarray(0, 14_000)],
  ])('refuses %s with a terminal error', async (_, make) => {
    const error = await analyser.analyse(await make()).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(UnreadablePictureError);
    expect(kindOf(error)).toBe('terminal');
  });
});

describe('limits', () => {
  it('A2, A4: ends an endless loop in time, its caller free, the next on a new thread', async () => {
    const hanging = new Analyser({ threads: 1, timeLimitMs: 1_500, worker: HANGING });
    for (let round = 0; round < 2; round++)
      await expect(hanging.analyse(Buffer.from('hang'))).rejects.toBeInstanceOf(AnalysisTimeoutError);
    await hanging.close();
  });

  it('A3: refuses what the queue does not hold, and ends everything when closed', async () => {
    const hanging = new Analyser({ ...PATIENT, threads: 1, queue: 1, worker: HANGING });
    const [running, waiting] = [hanging.analyse(Buffer.from('hang')), hanging.analyse(Buffer.from('hang'))];
    const ended = Promise.allSettled([running, waiting]);
    await expect(hanging.analyse(Buffer.from('hang'))).rejects.toBeInstanceOf(AnalyserBusyError);
    await hanging.close();
    for (const outcome of await ended)
      expect(outcome.status === 'rejected' && outcome.reason).toBeInstanceOf(AnalyserBusyError);
  });

  it('A4: ends an analysis that its caller aborts', async () => {
    const hanging = new Analyser({ ...PATIENT, threads: 1, worker: HANGING });
    const abort = new AbortController();
    const running = hanging.analyse(Buffer.from('hang'), abort.signal);
    abort.abort(new Error('the caller has gone'));
    await expect(running).rejects.toThrow('the caller has gone');
    await hanging.close();
  });
});
