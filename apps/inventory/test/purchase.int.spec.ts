import { UnitsOfWork } from '@aura/eventing';
import { silentLogger } from '@aura/platform';
import { saga, Sagas, type SagaView } from '@aura/saga';
import { StockHold } from '@aura/schemas';
import {
  databaseModule,
  defineConfig,
  eventsModule,
  startService,
  withEvents,
  type RunningService,
} from '@aura/service';
import { settled, testDatabase, type TestDatabase } from '@aura/testing';
import { Module } from '@nestjs/common';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { counts, item, runningInventory, stockUp, unbalanced, type RunningInventory } from './running.js';

/** Two holds, the second asked when the first one stands: a refusal of it has something to give back. */
const buyTwice = saga<Pick<StockHold, 'items'> & { more: StockHold['items'] }>('buy-twice', 1)
  .branch('first', StockHold, ({ items }) => ({ items }))
  .branch('second', StockHold, ({ more }) => ({ items: more }), { after: ['first'] })
  .within({ prepareMs: 20_000 });

@Module({
  imports: [
    databaseModule({ entities: [], migrations: [] }),
    eventsModule({ publishes: [], subscribes: [], sagas: [buyTwice] }),
  ],
})
class CheckoutModule {}

let inventory: RunningInventory;
let own: TestDatabase;
let checkout: RunningService;
beforeAll(async () => {
  inventory = await runningInventory();
  own = await testDatabase('checkout');
  checkout = await startService({
    config: defineConfig('checkout'),
    module: () => CheckoutModule,
    configure: withEvents,
    logger: silentLogger,
    port: 0,
    environment: {
      AURA_DATABASE_URL: own.url,
      AURA_LOG_URL: inventory.logUrl,
      AURA_CREATE_TOPICS: 'true',
    },
  });
});
afterAll(async () => {
  await checkout.stop();
  await inventory.end();
  await own.drop();
});
beforeEach(async () => {
  await inventory.db.query('truncate stock_hold');
  await stockUp(inventory.db, 'DRE-101-BLK', 'S', 5);
  await stockUp(inventory.db, 'SHO-106-BLK', '38', 0);
  await stockUp(inventory.db, 'SHO-106-NVY', '38', 3);
});

/** Starts a purchase, and gives it when every branch has ended. */
async function buy(items: StockHold['items'], more: StockHold['items']): Promise<SagaView> {
  const sagas = checkout.app.get(Sagas);
  const units = checkout.app.get(UnitsOfWork);
  const { id } = await units.run((work) => sagas.begin(work, buyTwice, { items, more }));
  return settled('the saga ends', async () => {
    const view = await sagas.find(id);
    return view?.endedAt ? view : undefined;
  });
}

it('takes part in a purchase: what was put aside is sold', async () => {
  const bought = await buy([item('DRE-101-BLK', 'S', 2)], [item('SHO-106-NVY', '38')]);
  expect(bought).toMatchObject({ phase: 'COMMITTED', attention: null });
  expect(await counts(inventory.db, 'DRE-101-BLK', 'S')).toEqual([3, 0, 2, 5]);
  expect(await counts(inventory.db, 'SHO-106-NVY', '38')).toEqual([2, 0, 1, 3]);
  expect(await unbalanced(inventory.db)).toEqual([]);
});

it('a refusal says what is sold out, and what was put aside is back', async () => {
  const refused = await buy([item('DRE-101-BLK', 'S', 2)], [item('SHO-106-BLK', '38')]);
  expect(refused).toMatchObject({ phase: 'ABORTED', attention: null });
  expect(refused.branches[1]?.refusal).toMatchObject({
    code: 'sold-out',
    text: 'size 38 of SHO-106-BLK is sold out',
  });
  expect(await counts(inventory.db, 'DRE-101-BLK', 'S')).toEqual([5, 0, 0, 5]);
  const { rows } = await inventory.db.query('select branch, state from stock_hold');
  expect(rows).toEqual([{ branch: 'first', state: 'RELEASED' }]);
});
