import { silentLogger } from '@aura/platform';
import { settled } from '@aura/testing';
import { Module } from '@nestjs/common';
import { expect, it } from 'vitest';
import { ask, jsonBody } from '../../test/service.js';
import { shopDatabases } from '../../test/shop-databases.js';
import { OrderPlaced, OrdersController, shop } from '../../test/shop.js';
import { databaseModule, eventsModule } from '../index.js';
import { startService } from '../start-service.js';

@Module({
  imports: [
    databaseModule({ entities: [], migrations: [] }),
    eventsModule({ publishes: [OrderPlaced], subscribes: [] }),
  ],
  controllers: [OrdersController],
})
class PublishingModule {}
const publishing = { ...shop, module: () => PublishingModule };

it('a service that reads nothing is ready, and publishes', async () => {
  const databases = await shopDatabases();
  const { environment, database } = databases;
  const service = await startService({ ...publishing, environment, logger: silentLogger });
  try {
    const ready = await settled('ready', async () => {
      const answer = await ask(`${service.url}/health/ready`);
      return answer.status === 200 && answer;
    });
    expect(ready.json).toMatchObject({ checks: { consumer: { detail: 'nothing to consume' } } });
    await ask(`${service.url}/orders`, { ...jsonBody({ order: 'o1', n: 1 }), method: 'POST' });
    const sql = await database.client();
    const published = async (): Promise<boolean> =>
      (await sql.query('select from aura.relay_cursor where position > 0')).rows.length === 1;
    await settled('it is published', published);
  } finally {
    await service.stop();
    await databases.drop();
  }
});
