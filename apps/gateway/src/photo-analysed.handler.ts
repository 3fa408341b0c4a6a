import type { EventEnvelope } from '@aura/contracts';
import { On, type Work } from '@aura/eventing';
import { PhotoAnalysed, PhotoAnalysisFailed, PhotoAnalysisStarted } from '@aura/schemas';
import { Controller } from '@nestjs/common';
import { AnalysisWatch } from './analysis-watch.js';
import { afterStep } from './domain/analysis-steps.js';
import { Analysis, type Step } from './entities/analysis.entity.js';

/** Keeps the gateway's own view of each analysis: what a client asks for, and watches. */
@Controller()
export class PhotoAnalysedHandler {
  constructor(private readonly watch: AnalysisWatch) {}

  @On(PhotoAnalysisStarted)
  async started(event: EventEnvelope<PhotoAnalysisStarted>, work: Work): Promise<void> {
    await this.#note(event, work, 'analysing', {});
  }

  @On(PhotoAnalysed)
  async analysed(event: EventEnvelope<PhotoAnalysed>, work: Work): Promise<void> {
    const { photoId: _photo, contentHash: _hash, ...result } = event.payload;
    await this.#note(event, work, 'done', { result });
  }

  @On(PhotoAnalysisFailed)
  async failed(event: EventEnvelope<PhotoAnalysisFailed>, work: Work): Promise<void> {
    const { reason, detail } = event.payload;
    await this.#note(event, work, 'failed', { failure: { reason, detail } });
  }

  async #note(
    event: EventEnvelope<{ photoId: string }>,
    work: Work,
    name: Step['name'],
    outcome: Partial<Pick<Analysis, 'result' | 'failure'>>,
  ): Promise<void> {
    const id = event.payload.photoId;
    const analysis = await work.manager.findOne(Analysis, {
      where: { id },
      lock: { mode: 'pessimistic_write' },
    });
    // A photo that this gateway has never had: somebody else's topic, or a database that was emptied by hand.
    if (!analysis) return;
    const step: Step = { name, service: event.source, at: event.time.toISOString() };
    await work.manager.update(Analysis, { id }, { ...afterStep(analysis, step), ...outcome });
    work.afterCommit(() => this.watch.changed(id));
  }
}
