import { Injectable } from '@nestjs/common';
import { bulkhead } from 'cockatiel';
import { takeIn, type CleanPhoto } from './domain/photo-intake.js';
import { MOST_UPLOADS } from './http/upload-slots.js';

/** A decoded photo of 40 megapixels is 160 MB: so many at a time; the others wait, in their upload's slot. */
const AT_ONCE = 2;

/** Bounds what cleaning photos may cost. */
@Injectable()
export class PhotoIntake {
  readonly #bulkhead = bulkhead(AT_ONCE, MOST_UPLOADS);

  /** Throws what `takeIn` throws. */
  take(bytes: Buffer): Promise<CleanPhoto> {
    return this.#bulkhead.execute(() => takeIn(bytes));
  }
}
