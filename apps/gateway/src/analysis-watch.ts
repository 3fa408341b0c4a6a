import { EventEmitter, once } from 'node:events';
import { Injectable } from '@nestjs/common';

/** How long a change made by another replica may go unseen (ms). */
const BACKSTOP_MS = 2_000;

/** Wakes those who watch an analysis when it has changed. A hint only: whoever is woken reads the row. */
@Injectable()
export class AnalysisWatch {
  readonly #changes = new EventEmitter().setMaxListeners(0);

  changed(id: string): void {
    this.#changes.emit(id);
  }

  /** Resolves at the next change, at the latest after two seconds; at once when `signal` is aborted. */
  async next(id: string, signal: AbortSignal): Promise<void> {
    try {
      await once(this.#changes, id, { signal: AbortSignal.any([signal, AbortSignal.timeout(BACKSTOP_MS)]) });
    } catch {
      // Woken by the time or by the end of the stream: both mean "look again".
    }
  }
}
