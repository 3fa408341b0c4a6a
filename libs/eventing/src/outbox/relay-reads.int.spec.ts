import { TransientError } from '@aura/platform';
import { settled } from '@aura/testing';
import { Client } from 'pg';
import { afterEach, beforeEach, expect, it, vi, type MockInstance } from 'vitest';
import { entryRow, OutboxKit, withAppend } from '../../test/outbox-kit.js';

let kit: OutboxKit;
beforeEach(async () => {
  kit = await OutboxKit.make('relay_reads');
});
afterEach(() => kit.drop());

it('R9: once for what was committed, and not again for each answer of the log', async () => {
  const relay = kit.relay({ limits: { heartbeatMs: 60_000, saveEveryMs: 1 } });
  await relay.start();
  await settled('it leads', () => relay.status().leader);
  const query = vi.spyOn(Client.prototype, 'query') as unknown as MockInstance<
    (sent: { name?: string }) => void
  >;
  await kit.raise(...Array.from({ length: 20 }, (_, n) => entryRow(`k${n % 10}`, n)));
  relay.nudge();
  await settled('all of it is saved', async () => (await kit.cursor()).position === 20n);
  const reads = query.mock.calls.filter(([sent]) => sent.name === 'outbox_read');
  query.mockRestore();
  expect(reads).toHaveLength(1);
  expect(await kit.published()).toHaveLength(20);
});

it('E10: a log that could not be asked once is no error any more when it has answered', async () => {
  let away = true;
  const log = withAppend(kit.log, (records) => kit.log.append(records));
  log.bounds = (topic) =>
    away ? Promise.reject(new TransientError('no leader yet')) : kit.log.bounds(topic);
  const relay = kit.relay({ log, limits: { backoff: { initialMs: 1, maxMs: 10 } } });
  await relay.start(); // and nothing is ever published
  await settled('it is told', () => relay.status().lastError !== undefined);
  away = false;
  await settled('it is over', () => relay.status().lastError === undefined);
});
