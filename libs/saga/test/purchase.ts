import { statement, TransientError } from '@aura/platform';
import { saga, type Saga } from '../src/index.js';
import type { Wanted } from './branches.js';
import { holding, HOLDS } from './holds.js';
import type { SagaService, SagaSystem, ServiceSpec } from './saga-services.js';

/** What the saga of the specs is started with: `none` makes a branch refuse. */
export interface Order {
  readonly stock: string;
  readonly money: string;
  readonly slot: string;
}

export interface Purchase {
  readonly definition: Saga<Order>;
  readonly shop: SagaService;
  readonly participants: readonly SagaService[];
}

/** What the shop keeps of a purchase, and a rule that it may break. */
const BOUGHT = `create table bought (id uuid primary key, stock text not null check (stock <> 'unlucky'))`;
const BOUGHT_INSERT = statement(
  'bought_insert',
  'insert into bought select * from unnest($1::uuid[], $2::text[])',
);

/** Four services: one starts a saga of three branches, each in a service of its own. */
export async function purchase(system: SagaSystem, shopIs: Partial<ServiceSpec> = {}): Promise<Purchase> {
  const stock = system.branch('stock', 'StockHold', ['shop']);
  const money = system.branch('money', 'MoneyHold', ['shop']);
  const slot = system.branch('slots', 'SlotHold', ['shop']);
  const definition = saga<Order>('purchase', 1)
    .branch('stock', stock, (order): Wanted => ({ what: order.stock }))
    .branch('money', money, (order): Wanted => ({ what: order.money }))
    .branch('slot', slot, (order): Wanted => ({ what: order.slot }))
    .within({ prepareMs: 20_000 })
    .begun(async (begun, work) => {
      if (begun.some(({ input }) => input.stock === 'away')) throw new TransientError('the shelf is away');
      await work.run(BOUGHT_INSERT, [begun.map(({ id }) => id), begun.map(({ input }) => input.stock)]);
    });
  const participants = await Promise.all(
    [stock, money, slot].map((type) =>
      system.service({
        name: type.service.replace(/_[0-9a-f]+$/, ''),
        participates: [{ type, participant: holding }],
        sql: HOLDS,
      }),
    ),
  );
  const coordinates = [definition];
  const shop = await system.service({ name: 'shop', coordinates, sql: BOUGHT, ...shopIs });
  return { definition, shop, participants };
}
