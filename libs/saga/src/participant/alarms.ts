import type { Finding } from '@aura/eventing';
import type { Logger } from '@aura/platform';
import { metrics } from '@opentelemetry/api';

/** The latest of them, for whoever asks this process. */
const KEPT = 20;

/** What must not happen between coordinator and participant, and did: told, counted, and nothing applied. */
export class Alarms {
  readonly #counter = metrics.getMeter('@aura/saga').createCounter('aura.saga.alarms', {
    description: 'Events of a coordinator that were not applied because they break the protocol',
  });
  readonly #latest: { readonly subject: string; readonly words: string; readonly at: Date }[] = [];

  constructor(
    private readonly service: string,
    private readonly logger: Logger,
  ) {}

  raise(subject: string, words: string, at: Date, fields: object = {}): void {
    this.#counter.add(1, { service: this.service });
    this.logger.error({ ...fields, subject }, `saga: ${words}; nothing was applied`);
    this.#latest.unshift({ subject, words, at });
    this.#latest.length = Math.min(this.#latest.length, KEPT);
  }

  findings(): Finding[] {
    return this.#latest.map(({ subject, words, at }) => ({
      code: 'saga-protocol',
      severity: 'alarm',
      subject,
      words: `${words}, at ${at.toISOString()}; nothing was applied`,
      command: undefined,
    }));
  }
}
