import { ProblemException } from '@aura/service';
import {
  type CallHandler,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
  PayloadTooLargeException,
} from '@nestjs/common';
import type { Response } from 'express';
import { catchError, throwError, type Observable } from 'rxjs';
import { MAX_PHOTO_BYTES } from '../domain/photo-intake.js';

/** Uploads are held in memory while they arrive: so many at a time, 10 MB each at the most. */
export const MOST_UPLOADS = 32;

/**
 * Stands before the upload is read: beyond the last slot a client is told to come back, and nothing of it
 * is kept.
 */
@Injectable()
export class UploadSlots implements NestInterceptor {
  #taken = 0;

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (this.#taken >= MOST_UPLOADS)
      throw new ProblemException({
        status: 503,
        kind: 'busy',
        detail: `${MOST_UPLOADS} photos are being taken in at this moment; nothing of this one was kept.`,
        headers: { 'Retry-After': '2' },
      });
    this.#taken++;
    // However it ends: an answer, a refusal, a client that is gone.
    context
      .switchToHttp()
      .getResponse<Response>()
      .once('close', () => this.#taken--);
    return next.handle().pipe(catchError((error: unknown) => throwError(() => inWords(error))));
  }
}

/** The upload's own limit says "File too large": a client wants to know how large it may be. */
function inWords(error: unknown): unknown {
  if (!(error instanceof PayloadTooLargeException)) return error;
  return new ProblemException({
    status: 413,
    kind: 'photo-too-large',
    detail: `The photo is larger than ${MAX_PHOTO_BYTES / 1e6} MB.`,
    cause: error,
  });
}
