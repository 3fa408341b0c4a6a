import { backupOf, type Backup } from '@aura/testing';
import { afterEach, expect, it } from 'vitest';
import { losingPostgres, type LosingLog } from '../../test/losing-log.js';
import { Entry, entryRow, ledger } from '../../test/outbox-kit.js';
import { ReplayKit } from '../../test/replay-kit.js';
import { forgottenEvents } from './forgotten.js';

let losing: LosingLog;
let kit: ReplayKit;
let backup: Backup | undefined;
afterEach(async () => {
  await kit.drop();
  await backup?.drop();
  await losing.drop();
});

async function make(): Promise<void> {
  [losing, backup] = [await losingPostgres(), undefined];
  kit = await ReplayKit.make('forgotten', losing.log, losing.topic);
}

/** `account:serial` of what is forgotten, in the order of each partition. */
async function forgotten(types = [Entry]): Promise<string[]> {
  const { pool: db, log, registry, topic } = kit.outbox;
  const options = { db, log, registry, contracts: ledger, source: 'ledger', topic };
  const found: string[] = [];
  for await (const events of forgottenEvents(options, types))
    for (const { payload } of events) {
      const { account, serial } = payload as { account: string; serial: bigint };
      found.push(`${account}:${serial}`);
    }
  return found;
}

it('E10: gives what a restored database does not know, in order, and nothing that it knows', async () => {
  await make();
  await kit.publish(['a', 'b'], [1, 2]);
  expect(await forgotten()).toEqual([]);
  backup = await backupOf(kit.outbox.database.url);
  const serials = Array.from({ length: 700 }, (_, at) => at + 3); // more than one look, in one partition
  await kit.outbox.raise(...serials.map((serial) => entryRow('a', serial, '', losing.topic)));
  await kit.outbox.raise(entryRow('b', 3, '', losing.topic));
  await kit.relayAll();
  await kit.replayed({ topic: losing.topic, key: 'b' }); // repeats are none
  await backup.restore();
  await kit.outbox.raise(entryRow('a', 9_999, '', losing.topic)); // a position that was handed out before
  const found = await forgotten();
  expect(found.filter((each) => each.startsWith('a'))).toEqual(serials.map((serial) => `a:${serial}`));
  expect(found.filter((each) => each.startsWith('b'))).toEqual(['b:3']);
  expect(await forgotten([])).toEqual([]);
});

it('a database without marks, and a topic that is not there', async () => {
  await make();
  await kit.publish(['a'], [1]);
  await kit.outbox.pool.query('delete from aura.relay_cursor');
  expect(await forgotten()).toEqual([]);
  await kit.outbox.pool.query('delete from aura.outbox');
  expect(await forgotten()).toEqual(['a:1']);
  const { pool: db, log, registry } = kit.outbox;
  const nowhere = { db, log, registry, contracts: ledger, source: 'ledger', topic: 'nobody.events' };
  for await (const events of forgottenEvents(nowhere, [Entry])) expect(events).toEqual([]);
});
