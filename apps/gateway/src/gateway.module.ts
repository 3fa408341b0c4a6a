import { PhotoAnalysed, PhotoAnalysisFailed, PhotoAnalysisStarted, PhotoReceived } from '@aura/schemas';
import { databaseModule, eventsModule } from '@aura/service';
import { Module } from '@nestjs/common';
import { AnalysisWatch } from './analysis-watch.js';
import { Analysis } from './entities/analysis.entity.js';
import { IdempotencyKey } from './entities/idempotency-key.entity.js';
import { Photo } from './entities/photo.entity.js';
import { AnalysesController } from './http/analyses.controller.js';
import { ForwardController } from './http/forward.controller.js';
import { Forward } from './http/forward.js';
import { PhotosController } from './http/photos.controller.js';
import { UploadSlots } from './http/upload-slots.js';
import { Photos1764000000000 } from './migrations/1764000000000-photos.js';
import { PhotoAnalysedHandler } from './photo-analysed.handler.js';
import { PhotoIntake } from './photo-intake.service.js';

@Module({
  imports: [
    databaseModule({ entities: [Photo, Analysis, IdempotencyKey], migrations: [Photos1764000000000] }),
    eventsModule({
      publishes: [PhotoReceived],
      subscribes: [PhotoAnalysisStarted, PhotoAnalysed, PhotoAnalysisFailed],
    }),
  ],
  controllers: [PhotosController, AnalysesController, ForwardController, PhotoAnalysedHandler],
  providers: [PhotoIntake, UploadSlots, AnalysisWatch, Forward],
})
export class GatewayModule {}
