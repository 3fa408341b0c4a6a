import { defineConfig, withEvents, type ServiceDefinition } from '@aura/service';
import { ImageAnalysisModule } from './image-analysis.module.js';
import { settings } from './settings.js';

/** Looks at the pixels of every photo that the gateway took. */
export const imageAnalysis: ServiceDefinition<typeof settings> = {
  config: defineConfig('image-analysis', settings),
  module: () => ImageAnalysisModule,
  configure: withEvents,
};
