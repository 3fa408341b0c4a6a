import { postgresLog } from '@aura/event-log';
import { silentLogger } from '@aura/platform';
import { settled, testDatabase } from '@aura/testing';
import { DataSource } from 'typeorm';
import { expect, it } from 'vitest';
import { Entry, ledger, MemoryRegistry, withAppend } from '../../test/outbox-kit.js';
import { Eventing } from '../eventing.js';

const PAIRS = 20;

it('an event that may wait leaves in the append of the next that may not', async () => {
  const database = await testDatabase('company');
  const log = postgresLog({ url: database.url });
  const appends: string[][] = [];
  const dataSource = new DataSource({ type: 'postgres', url: database.url, installExtensions: false });
  await dataSource.initialize();
  const eventing = new Eventing({
    service: 'ledger',
    dataSource,
    databaseUrl: database.url,
    log: withAppend(log, (records) => {
      appends.push(records.map(({ key }) => key));
      return log.append(records);
    }),
    registry: new MemoryRegistry(),
    contracts: ledger,
    logger: silentLogger,
    createTopics: { partitions: 1 },
  });
  const raise = (account: string, withinMs: number) =>
    eventing.units.run(async (work) => work.raise(Entry.of({ account, serial: 0n, note: '' }), { withinMs }));
  await eventing.prepare();
  await eventing.run([]);
  try {
    await settled('it publishes', () => eventing.status().relay.leader && eventing.status().topicsReady);
    for (let n = 0; n < PAIRS; n++) {
      await raise(`waits ${n}`, 60_000);
      await raise(`goes ${n}`, 0);
      await settled('both have left', () => appends.flat().length === 2 * (n + 1));
    }
    // Now and then the relay reads between the two by itself.
    expect(appends.filter((keys) => keys.length === 2).length).toBeGreaterThan(PAIRS / 2);
  } finally {
    await eventing.stopTasks();
    await eventing.stopPublishing();
    await log.close();
    await dataSource.destroy();
    await database.drop();
  }
});
