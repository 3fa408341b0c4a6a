import { UnknownTopicError, type EventLog, type TopicSettings } from '@aura/event-log';
import { withClient } from '@aura/platform';
import type { Pool, PoolClient } from 'pg';
import { brokerFindings } from '../guards/broker-settings.js';
import { noteOperation } from './audit.js';
import type { Change, TopicOperations, TopicPlan } from './operations.js';

export interface ServiceTopicOptions {
  /** The topic that this service publishes on. */
  readonly topic: string;
  readonly log: EventLog;
  readonly pool: Pool;
}

/**
 * The topic that a service publishes on. It is made where it is missing, and never changed where it is
 * there: another partition count would move keys, and lose their order (H30).
 */
export class ServiceTopic implements TopicOperations {
  constructor(private readonly options: ServiceTopicOptions) {}

  async apply(
    wanted: { readonly partitions: number; readonly replicationFactor: number },
    change: Change,
  ): Promise<readonly TopicPlan[]> {
    const { topic: name } = this.options;
    const settings = await this.#settings();
    if (settings) return [planOf(name, differences(name, settings, wanted))];
    const made = await this.#create(wanted, change);
    const short = made ? differences(name, made, wanted) : [];
    const copies = this.options.log.kind === 'kafka' ? `, replication ${wanted.replicationFactor}` : '';
    const words = [`${wanted.partitions} partitions${copies}`, ...short].join('; ');
    return [{ name, action: 'create', words }];
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

function differences(
  name: string,
  settings: TopicSettings,
  { partitions, replicationFactor }: { readonly partitions: number; readonly replicationFactor: number },
): string[] {
  // With fewer copies wanted there is less to wait for.
  const minInsyncReplicas = Math.min(2, Math.max(1, replicationFactor - 1));
  const needs = { partitions, replicationFactor, minInsyncReplicas };
  return brokerFindings(name, settings, needs).map(({ words }) => words);
}

function planOf(name: string, found: readonly string[]): TopicPlan {
  if (found.length === 0) return { name, action: 'nothing', words: 'as it should be' };
  return { name, action: 'differs', words: found.join('; ') };
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
