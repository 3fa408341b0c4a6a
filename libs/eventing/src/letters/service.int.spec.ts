import { postgresLog } from '@aura/event-log';
import { silentLogger, TerminalError } from '@aura/platform';
import { settled, testDatabase } from '@aura/testing';
import { DataSource } from 'typeorm';
import { expect, it } from 'vitest';
import { Entry, ledger, MemoryRegistry } from '../../test/outbox-kit.js';
import { Handlers } from '../consumer/handlers.js';
import { Eventing } from '../eventing.js';
import { REQUEST } from '../unit-of-work/work.js';

/** A program of the service; `fails`: what it can't do yet. */
async function start(url: string, applied: string[], fails: (note: string, times: number) => void) {
  let times = 0;
  const log = postgresLog({ url });
  const dataSource = new DataSource({ type: 'postgres', url, installExtensions: false });
  await dataSource.initialize();
  const eventing = new Eventing({
    service: 'ledger',
    dataSource,
    databaseUrl: url,
    log,
    registry: new MemoryRegistry(),
    contracts: ledger,
    logger: silentLogger,
    createTopics: { partitions: 1 },
    letters: { initialBackoffMs: 10, maxBackoffMs: 50 },
  });
  await eventing.prepare();
  await eventing.run([]);
  await eventing.consume(
    new Handlers([
      {
        mode: 'each',
        type: Entry,
        name: 'Ledger.note',
        async handle(event, work) {
          const { account, note } = event.payload as { account: string; note: string };
          fails(note, ++times);
          await work.manager.query('select 1');
          work.afterCommit(() => applied.push(`${account}:${note}`));
        },
      },
    ]),
  );
  const stop = async (): Promise<void> => {
    await eventing.stopConsuming();
    await eventing.stopTasks();
    await eventing.stopPublishing();
    await log.close();
    await dataSource.destroy();
  };
  return { eventing, stop };
}

const raise = (eventing: Eventing, account: string, ...notes: string[]) =>
  eventing.units.run(async (work) => {
    for (const note of notes) work.raise(Entry.of({ account, serial: 0n, note }));
    await Promise.resolve();
  }, REQUEST);

it('a running service tries parked keys by itself, and a dead one after a deploy', async () => {
  const database = await testDatabase('letters');
  const applied: string[] = [];
  const before = await start(database.url, applied, (note, times) => {
    if (note === 'never') throw new TerminalError('this program can’t');
    if (times < 4) throw new Error('for now');
  });
  await raise(before.eventing, 'a', '1', '2');
  await settled('the key came through by itself', () => applied.length === 2);
  await raise(before.eventing, 'b', 'never', '4');
  const letters = before.eventing.operations.letters;
  const dead = await settled('the key is dead', async () => (await letters.list({ state: 'dead' }, 1))[0]);
  expect(dead).toMatchObject({ key: 'b', error: { name: 'TerminalError' } });
  await before.stop();

  const after = await start(database.url, applied, () => undefined);
  const change = { reason: 'deployed', by: 'ada', dryRun: false };
  expect((await after.eventing.operations.letters.redrive({ state: 'dead' }, change)).keys).toBe(1);
  await settled('all came through', () => applied.length === 4);
  expect(applied).toEqual(['a:1', 'a:2', 'b:never', 'b:4']);
  await after.stop();
  await database.drop();
}, 60_000);
