// The shop of shop.ts, which starts a saga besides: its participant is not there.
import { defineBranch, type BranchType } from '@aura/contracts';
import { UnitsOfWork } from '@aura/eventing';
import { saga, Sagas } from '@aura/saga';
import { Body, Controller, HttpCode, Module, Post } from '@nestjs/common';
import { databaseModule, eventsModule } from '../src/index.js';
import { OrderHandler, OrderPlaced, OrdersController, shop } from './shop.js';

interface Shoes {
  readonly size: string;
}

const StockHold: BranchType<Shoes> = defineBranch<Shoes>({
  service: 'stock',
  kind: 'reservable',
  coordinators: ['shop'],
  version: 1,
  schema: {
    type: 'record',
    name: 'StockHold',
    namespace: 'stock',
    doc: 'Shoes of one size.',
    fields: [{ name: 'size', type: 'string' }],
  },
});

const buyShoes = saga<Shoes>('buy-shoes', 1)
  .branch('stock', StockHold, (shoes) => shoes)
  .within({ prepareMs: 600_000 });

@Controller('purchases')
class PurchasesController {
  constructor(
    private readonly units: UnitsOfWork,
    private readonly sagas: Sagas,
  ) {}

  @Post()
  @HttpCode(202)
  buy(@Body() shoes: Shoes): Promise<{ id: string }> {
    return this.units.run((work) => this.sagas.begin(work, buyShoes, shoes));
  }
}

@Module({
  imports: [
    databaseModule({ entities: [], migrations: [] }),
    eventsModule({
      publishes: [OrderPlaced],
      subscribes: [OrderPlaced],
      sagas: [buyShoes],
    }),
  ],
  controllers: [OrdersController, OrderHandler, PurchasesController],
})
class SagaShopModule {}

export const sagaShop = { ...shop, module: () => SagaShopModule };
