import { testDatabase } from '@aura/testing';
import { postgresLog } from '../src/index.js';
import { describeEventLog } from './conformance/index.js';
import { ownPostgres } from './own-postgres.js';

describeEventLog('Postgres', async () => {
  const database = await testDatabase('event_log');
  const options = { url: database.url };
  const admin = postgresLog(options);
  return {
    kind: 'postgres',
    open: () => postgresLog(options),
    child: { module: new URL('open-postgres.ts', import.meta.url), config: options },
    deleteBefore: (topic, partition, before) => admin.deleteBefore(topic, partition, before),
    deleteTopic: async (topic) => {
      const client = await database.client();
      await client.query(
        `delete from aura_log.record where partition_id in
           (select id from aura_log.partition where topic = $1)`,
        [topic],
      );
      await client.query('delete from aura_log.partition where topic = $1', [topic]);
      await client.query('delete from aura_log.topic where name = $1', [topic]);
    },
    sessionTimeoutMs: 1_500,
    ownServer: ownPostgres,
    close: async () => {
      await admin.close();
      await database.drop();
    },
  };
});
