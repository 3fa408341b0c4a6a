import sharp from 'sharp';
import type { Analysis } from './analysis.js';
import { analysePixels } from './analyse-pixels.js';
import { decode, NotAPicture } from './decode.js';
import { loadPersonMap } from './person.js';

/**
 * What one worker thread answers; errors that mean something cross the thread's border as data, classes
 * would not.
 */
export type Answer = { readonly analysis: Analysis } | { readonly unreadable: string };

// One picture per thread at a time: libvips' own threads would only fight the pool's, and its cache would
// keep pictures.
sharp.concurrency(1);
sharp.cache(false);
const personMap = loadPersonMap();

export default async function answer(bytes: Uint8Array): Promise<Answer> {
  try {
    const picture = await decode(bytes);
    const person = await (await personMap)(picture.model);
    return { analysis: analysePixels(picture, person) };
  } catch (error) {
    if (error instanceof NotAPicture) return { unreadable: error.message };
    throw error;
  }
}
