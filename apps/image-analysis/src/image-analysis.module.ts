import { Shutdown } from '@aura/platform';
import { PhotoAnalysed, PhotoAnalysisFailed, PhotoAnalysisStarted, PhotoReceived } from '@aura/schemas';
import { CONFIG, databaseModule, eventsModule, ServiceTokens, type Config } from '@aura/service';
import { Module } from '@nestjs/common';
import { AnalysePhotoTask } from './analyse-photo.task.js';
import { GarmentAnalysis } from './entities/garment-analysis.entity.js';
import { GarmentAnalysis1764000000000 } from './migrations/1764000000000-garment-analysis.js';
import { PhotoReceivedHandler } from './photo-received.handler.js';
import { PhotoSource } from './photo-source.js';
import { Analyser } from './pixels/index.js';
import type { settings } from './settings.js';

@Module({
  imports: [
    databaseModule({ entities: [GarmentAnalysis], migrations: [GarmentAnalysis1764000000000] }),
    eventsModule({
      publishes: [PhotoAnalysisStarted, PhotoAnalysed, PhotoAnalysisFailed],
      subscribes: [PhotoReceived],
    }),
  ],
  controllers: [PhotoReceivedHandler],
  providers: [
    AnalysePhotoTask,
    {
      provide: PhotoSource,
      inject: [CONFIG, ServiceTokens],
      useFactory: (config: Config<typeof settings>, tokens: ServiceTokens) =>
        new PhotoSource(config.gatewayUrl, tokens),
    },
    {
      provide: Analyser,
      inject: [Shutdown],
      useFactory: (shutdown: Shutdown) => {
        const analyser = new Analyser();
        shutdown.add('pools', 'analyser', () => analyser.close());
        return analyser;
      },
    },
  ],
})
export class ImageAnalysisModule {}
