import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { HEADER } from '@aura/contracts';
import { settled } from '@aura/testing';
import { expect, it } from 'vitest';
import { startKafka, startTestKafka } from '../../../../tools/infra/kafka.mjs';
import { losingKafka } from '../../test/losing-log.js';
import { entryRow } from '../../test/outbox-kit.js';
import { BY_TEST, ReplayKit } from '../../test/replay-kit.js';
import { OutboxRelay } from '../outbox/relay-operations.js';
import type { Relay } from '../outbox/relay.js';

it.skipIf(!process.env['KAFKA_BROKERS'])(
  'E10: a broker that lost the tail of its partitions: stops, republishes it, and goes on',
  async () => {
    const kafka = await startTestKafka({ registry: false });
    const [data, copy] = [join(kafka.dir, 'data-1'), join(kafka.dir, 'data-1-copy')];
    const restart = async (): Promise<void> => void (await startKafka({ dir: kafka.dir, registry: false }));
    const losing = await losingKafka(kafka.brokers.split(','));
    const kit = await ReplayKit.make('broker_tail', losing.log, losing.topic);
    const operations = new OutboxRelay({ pool: kit.outbox.pool, replay: kit.replay });
    const relay = (): Relay =>
      kit.outbox.relay({
        limits: { recheckMs: 0, backoff: { initialMs: 1, maxMs: 10 } },
        findReplay: (id) => kit.replay.find(id),
      });
    const publish = async (note: string): Promise<void> => {
      await kit.outbox.raise(entryRow('a', 1, note, losing.topic));
      const one = relay();
      await settled('it is published', async () => {
        await one.runOnce().catch(() => undefined);
        return one.status().lagRows === 0 && one.status().lastError === undefined;
      });
      await one.stop();
    };
    try {
      await publish('kept');
      await kafka.kill();
      await cp(data, copy, { recursive: true });
      await restart();
      await publish('lost');
      await publish('lost, too');
      await kafka.kill();
      await rm(data, { recursive: true });
      await cp(copy, data, { recursive: true });
      await restart();
      await kit.outbox.raise(entryRow('a', 1, 'new', losing.topic));
      const one = relay();
      await settled('it stops', async () => {
        await one.runOnce().catch(() => undefined);
        return (await operations.findings()).length > 0;
      });
      expect(await operations.findings()).toMatchObject([
        {
          code: 'topic-behind',
          severity: 'alarm',
          command: expect.stringContaining('relay mend topic-behind'),
        },
      ]);
      await operations.mend('topic-behind', BY_TEST);
      await kit.runner().runOnce();
      await settled('it goes on', async () => {
        await one.runOnce();
        return one.status().lastError === undefined && one.status().lagRows === 0;
      });
      const found = (await kit.outbox.published()).map(
        ({ headers }) =>
          `${headers[HEADER.sequence]}${headers[HEADER.replayId] === undefined ? '' : ' again'}`,
      );
      expect(found).toEqual(['1', '2 again', '3 again', '4']);
    } finally {
      await kit.drop();
      await losing.drop();
      await kafka.stop();
    }
  },
  120_000,
);
