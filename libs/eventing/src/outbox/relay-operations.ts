import { ConflictError, run, statement, withClient, type Queryable } from '@aura/platform';
import type { Pool } from 'pg';
import { listFindings } from '../guards/finding-store.js';
import { mend } from '../guards/mending.js';
import type { TimeFinding } from '../guards/time-went-backwards.js';
import type { ErrorRecord } from '../letters/error-record.js';
import { noteOperation } from '../operations/audit.js';
import type {
  Change,
  Finding,
  RelayOperations,
  RelayParkedKey,
  ReplayOperations,
} from '../operations/operations.js';

export interface OutboxRelayOptions {
  readonly pool: Pool;
  /** What a topic has lost is republished by it. */
  readonly replay: Pick<ReplayOperations, 'count' | 'start'>;
  /**
   * Done before what the database has forgotten is taken for read: whoever can take it back from the topic
   * does so. Where it rejects, nothing is mended.
   */
  readonly beforeForgetting?: () => Promise<void>;
}

/** More rows than this are not counted one by one. */
const MOST_COUNTED = 10_000;

const WENT_BACK: TimeFinding['code'] = 'database-went-back';

const PARKED = statement(
  'relay_parked_key_page',
  `select k.topic, k.key, k.position, k.error, k.parked_at,
          (select count(*)::int
             from (select from aura.outbox as o
                    where o.position >= k.position and o.topic = k.topic and o.key = k.key
                    limit ${MOST_COUNTED}) as behind) as waiting
     from aura.relay_parked_key as k order by k.parked_at limit $1`,
);
const WANT = statement(
  'relay_parked_key_want',
  `update aura.relay_parked_key set resume_requested = coalesce(resume_requested, clock_timestamp())
    where topic = $1 and key = $2 returning position`,
);
const WAITING = statement(
  'relay_parked_key_waiting',
  `select (select count(*)::int
             from (select from aura.outbox as o
                    where o.position >= k.position and o.topic = k.topic and o.key = k.key
                    limit ${MOST_COUNTED}) as behind) as waiting
     from aura.relay_parked_key as k where topic = $1 and key = $2`,
);

/**
 * What operators may ask of the relay, in any replica: requests are rows that the leader finds within a
 * heartbeat (2 s), findings are what it has written down.
 *
 * Limits: `waiting` counts up to 10,000 rows. Errors: `ConflictError` where the key is not parked, or the
 * finding is not there (any more).
 */
export class OutboxRelay implements RelayOperations {
  constructor(private readonly options: OutboxRelayOptions) {}

  async parkedKeys(limit: number): Promise<readonly RelayParkedKey[]> {
    const rows = await run<{
      topic: string;
      key: string;
      position: string;
      error: ErrorRecord;
      parked_at: Date;
      waiting: number;
    }>(this.options.pool, PARKED, [limit]);
    return rows.map(({ parked_at: since, position, ...row }) => ({
      ...row,
      since,
      position: BigInt(position),
    }));
  }

  /** Only asks: the leader clears the mark in the save that takes the key's records into its hands (H31). */
  resumeKey(topic: string, key: string, change: Change): Promise<{ readonly records: number }> {
    return withClient(this.options.pool, (client) =>
      inTransaction(client, async () => {
        const [row] = await run<{ waiting: number }>(client, WAITING, [topic, key]);
        if (!row)
          throw new ConflictError(
            `the relay has not parked key ${key} of ${topic}: \`npm run aura -- relay status\` lists them`,
          );
        if (!change.dryRun) await run(client, WANT, [topic, key]);
        await noteOperation(client, 'relay resume', { topic, key }, change);
        return { records: row.waiting };
      }),
    );
  }

  async findings(): Promise<readonly Finding[]> {
    return (await listFindings(this.options.pool)).map(({ code, subject, words }) => ({
      code,
      severity: 'alarm',
      subject,
      words: `Publishing has stopped: ${words}`,
      command: `relay mend ${code} --reason "…"`,
    }));
  }

  async mend(code: string, change: Change): Promise<string> {
    if (code === WENT_BACK && !change.dryRun) await this.options.beforeForgetting?.();
    return withClient(this.options.pool, (client) =>
      inTransaction(client, () => mend(client, this.options.replay, code, change)),
    );
  }
}

async function inTransaction<T>(client: Queryable, work: () => Promise<T>): Promise<T> {
  await client.query({ text: 'begin' });
  try {
    const result = await work();
    await client.query({ text: 'commit' });
    return result;
  } catch (error) {
    await client.query({ text: 'rollback' }).catch(() => undefined); // the first error is what matters
    throw error;
  }
}
