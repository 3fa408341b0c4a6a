import { Tasks, type Task, type TaskEnding, type TaskHandler } from '@aura/eventing';
import { PhotoAnalysed, PhotoAnalysisFailed } from '@aura/schemas';
import { Injectable } from '@nestjs/common';
import { GarmentAnalysis } from './entities/garment-analysis.entity.js';
import { PhotoNotFoundError, PhotoSource } from './photo-source.js';
import { Analyser, UnreadablePictureError } from './pixels/index.js';

export const ANALYSE_PHOTO = 'analyse-photo';

export interface AnalysePhoto {
  readonly photoId: string;
  readonly contentHash: string;
}

/** Fetches the bytes, looks at the pixels in a worker thread, and ends with one row and one event. */
@Tasks()
@Injectable()
export class AnalysePhotoTask implements TaskHandler<AnalysePhoto> {
  readonly kind = ANALYSE_PHOTO;
  readonly concurrency = 2;
  /** Through a minute or two without a gateway, whose breaker refuses for 10 s at a time. */
  readonly maxAttempts = 10;
  readonly initialBackoffMs = 1_000;

  constructor(
    private readonly photos: PhotoSource,
    private readonly analyser: Analyser,
  ) {}

  async run(
    { payload: { photoId, contentHash } }: Task<AnalysePhoto>,
    signal: AbortSignal,
  ): Promise<TaskEnding> {
    const bytes = await this.photos.fetch(photoId, signal);
    const started = performance.now();
    const analysis = await this.analyser.analyse(bytes, signal);
    const durationMs = Math.round(performance.now() - started);
    return async (work) => {
      await work.manager.insert(GarmentAnalysis, {
        photoId,
        contentHash,
        model: analysis.model,
        analysedAt: work.now,
        result: analysis,
      });
      work.raise(PhotoAnalysed.of({ photoId, contentHash, durationMs, ...analysis }));
    };
  }

  failed({ payload: { photoId }, attempt }: Task<AnalysePhoto>, error: Error): TaskEnding {
    return async (work) => {
      work.raise(
        PhotoAnalysisFailed.of({
          photoId,
          reason: reasonOf(error),
          detail: detailOf(error),
          attempts: attempt,
        }),
      );
    };
  }
}

function reasonOf(error: Error): 'PHOTO_NOT_FOUND' | 'PHOTO_UNREADABLE' | 'INTERNAL' {
  if (error instanceof PhotoNotFoundError) return 'PHOTO_NOT_FOUND';
  return error instanceof UnreadablePictureError ? 'PHOTO_UNREADABLE' : 'INTERNAL';
}

/** What a client may read: our own sentences, never the text of an unknown error. */
function detailOf(error: Error): string {
  return reasonOf(error) === 'INTERNAL' ? 'the analysis failed; the operators have its error' : error.message;
}
