import { UnknownTopicError, type EventLog } from '@aura/event-log';
import type { Finding } from '../operations/operations.js';
import { brokerFindings, type BrokerNeeds } from './broker-settings.js';

/**
 * A source for the doctor: looks at the topics a service publishes on. Rejects with the log's error where
 * that does not answer.
 */
export class BrokerSettingsCheck {
  readonly name = 'the settings of the brokers';

  constructor(
    private readonly log: Pick<EventLog, 'settings'>,
    private readonly topics: readonly string[],
    private readonly needs: BrokerNeeds = {},
  ) {}

  async findings(): Promise<readonly Finding[]> {
    return (await Promise.all(this.topics.map((topic) => this.#findingsOf(topic)))).flat();
  }

  async #findingsOf(topic: string): Promise<readonly Finding[]> {
    try {
      return brokerFindings(topic, await this.log.settings(topic), this.needs);
    } catch (error) {
      if (!(error instanceof UnknownTopicError)) throw error;
      const words = 'this topic does not exist: events wait in the outbox until it is made';
      return [
        {
          code: 'topic-missing',
          severity: 'alarm',
          subject: topic,
          words,
          command: 'topics apply --reason "…"',
        },
      ];
    }
  }
}
