import { ProblemException } from '@aura/service';
import { Injectable } from '@nestjs/common';
import { bulkhead, BulkheadRejectedError } from 'cockatiel';
import { takeIn, type CleanPhoto } from './domain/photo-intake.js';

/** A decoded photo of 40 megapixels is 160 MB: so many at a time, and so many in the queue. */
const AT_ONCE = 2;
const QUEUE = 32;

/** Bounds what cleaning photos may cost: beyond the queue a client is told to come back. */
@Injectable()
export class PhotoIntake {
  readonly #bulkhead = bulkhead(AT_ONCE, QUEUE);

  async take(bytes: Buffer): Promise<CleanPhoto> {
    try {
      return await this.#bulkhead.execute(() => takeIn(bytes));
    } catch (error) {
      if (!(error instanceof BulkheadRejectedError)) throw error;
      throw new ProblemException({
        status: 503,
        kind: 'busy',
        detail: 'Too many photos are being taken in; nothing of this one was kept.',
        headers: { 'Retry-After': '2' },
        cause: error,
      });
    }
  }
}
