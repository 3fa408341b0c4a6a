// A service with events, for the tests of what operators see: an order is refused while its key is in
// `broken`.
import { defineEvent, type EventEnvelope, type EventType } from '@aura/contracts';
import { On, UnitsOfWork, type Work } from '@aura/eventing';
import { TerminalError } from '@aura/platform';
import { Body, Controller, HttpCode, Module, Post } from '@nestjs/common';
import { databaseModule, defineConfig, eventsModule, withEvents } from '../src/index.js';

interface OrderPlaced {
  readonly order: string;
  readonly n: number;
}

export const OrderPlaced: EventType<OrderPlaced> = defineEvent<OrderPlaced>({
  service: 'shop',
  version: 1,
  keyField: 'order',
  schema: {
    type: 'record',
    name: 'OrderPlaced',
    namespace: 'shop',
    doc: 'An order and its number.',
    fields: [
      { name: 'order', type: 'string' },
      { name: 'n', type: 'int' },
    ],
  },
});

export const TOPIC = 'shop.events';

@Controller('orders')
export class OrdersController {
  constructor(private readonly units: UnitsOfWork) {}

  @Post()
  @HttpCode(202)
  async place(@Body() order: OrderPlaced): Promise<void> {
    await this.units.run(async (work) => work.raise(OrderPlaced.of(order)));
  }
}

@Controller()
export class OrderHandler {
  @On(OrderPlaced)
  async placed({ payload: { order, n } }: EventEnvelope<OrderPlaced>, work: Work): Promise<void> {
    const found: unknown[] = await work.manager.query('select from broken where key = $1', [order]);
    if (found.length > 0) throw new TerminalError(`order ${order} is refused: mend the shelf`);
    await work.manager.query('insert into placed (key, n) values ($1, $2)', [order, n]);
  }
}

@Module({
  imports: [
    databaseModule({ entities: [], migrations: [] }),
    eventsModule({ publishes: [OrderPlaced], subscribes: [OrderPlaced] }),
  ],
  controllers: [OrdersController, OrderHandler],
})
class ShopModule {}

export const shop = { config: defineConfig('shop'), module: () => ShopModule, configure: withEvents };
