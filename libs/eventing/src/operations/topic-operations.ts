import { UnknownTopicError, type EventLog, type TopicSettings } from '@aura/event-log';
import { withClient } from '@aura/platform';
import type { Pool, PoolClient } from 'pg';
import { noteOperation } from './audit.js';
import { topicDifferences } from './topic-differences.js';
import type { FindingSource } from './doctor.js';
import type { Change, Finding, TopicOperations, TopicPlan } from './operations.js';

export interface ServiceTopicOptions {
  /** The topic that this service publishes on. */
  readonly topic: string;
  readonly log: EventLog;
  readonly pool: Pool;
}

/** What production needs, where nobody says otherwise. */
const USUAL_REPLICATION = 3;

/**
 * The topic that a service publishes on. It is made where it is missing, and never changed where it is
 * there: another partition count would move keys, and lose their order (H30).
 */
export class ServiceTopic implements TopicOperations, FindingSource {
  readonly name = "the service's topic";

  constructor(private readonly options: ServiceTopicOptions) {}

  async apply(
    wanted: { readonly partitions: number; readonly replicationFactor: number },
    change: Change,
  ): Promise<readonly TopicPlan[]> {
    const { topic: name } = this.options;
    const settings = await this.#settings();
    if (settings) return [planOf(name, topicDifferences(settings, wanted))];
    const made = await this.#create(wanted, change);
    const differences = made ? topicDifferences(made, wanted) : [];
    const copies = this.options.log.kind === 'kafka' ? `, ${wanted.replicationFactor} copies` : '';
    const words = [`${wanted.partitions} partitions${copies}`, ...differences].join('; ');
    return [{ name, action: 'create', words }];
  }

  /** Whatever its partition count: that was somebody's choice. */
  async findings(): Promise<readonly Finding[]> {
    const { topic: subject } = this.options;
    const settings = await this.#settings();
    if (!settings)
      return [
        {
          code: 'topic-missing',
          severity: 'alarm',
          subject,
          words: 'the topic of this service does not exist: what is committed waits to be published',
          command: 'topics apply --reason "…"',
        },
      ];
    return topicDifferences(settings, { replicationFactor: USUAL_REPLICATION }).map((words) => ({
      code: 'topic-differs',
      severity: 'warning',
      subject,
      words,
      command: undefined,
    }));
  }

  /** What it is now; undefined for a dry run. */
  async #create(
    { partitions, replicationFactor }: { readonly partitions: number; readonly replicationFactor: number },
    change: Change,
  ): Promise<TopicSettings | undefined> {
    const { log, pool, topic: name } = this.options;
    if (change.dryRun) return undefined;
    // Written down first, and only if the log has taken it: the note can't be missing afterwards.
    await withClient(pool, (client) =>
      inTransaction(client, async () => {
        await noteOperation(client, 'topics apply', { topic: name, partitions, replicationFactor }, change);
        await log.createTopics([{ name, partitions, replicationFactor }]);
      }),
    );
    return this.#settings();
  }

  /** Undefined where it is missing. */
  async #settings(): Promise<TopicSettings | undefined> {
    const { log, topic } = this.options;
    try {
      return await log.settings(topic);
    } catch (error) {
      if (error instanceof UnknownTopicError) return undefined;
      throw error;
    }
  }
}

function planOf(name: string, differences: readonly string[]): TopicPlan {
  if (differences.length === 0) return { name, action: 'nothing', words: 'as it should be' };
  return { name, action: 'differs', words: differences.join('; ') };
}

async function inTransaction(client: PoolClient, fn: () => Promise<void>): Promise<void> {
  await client.query('begin');
  try {
    await fn();
    await client.query('commit');
  } catch (error) {
    await client.query('rollback').catch(() => undefined); // the error that brought us here says more
    throw error;
  }
}
