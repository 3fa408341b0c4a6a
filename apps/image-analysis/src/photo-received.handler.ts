import type { EventEnvelope } from '@aura/contracts';
import { On, type Work } from '@aura/eventing';
import { PhotoAnalysisStarted, PhotoReceived } from '@aura/schemas';
import { Controller } from '@nestjs/common';
import { ANALYSE_PHOTO } from './analyse-photo.task.js';

/** A photo has arrived at the gateway: its analysis is slow, so it is a task. */
@Controller()
export class PhotoReceivedHandler {
  @On(PhotoReceived)
  async received({ payload: photo }: EventEnvelope<PhotoReceived>, work: Work): Promise<void> {
    work.raise(PhotoAnalysisStarted.of({ photoId: photo.photoId, attempt: 1, startedAt: work.now }));
    const { photoId, contentHash } = photo;
    work.schedule({ kind: ANALYSE_PHOTO, key: photoId, payload: { photoId, contentHash } });
  }
}
