import { CONFIG, databaseModule, eventsModule, type Config } from '@aura/service';
import { PurchaseReturned } from '@aura/schemas';
import { Module, type DynamicModule } from '@nestjs/common';
import { buyOutfit } from './buy-outfit.saga.js';
import { Purchase } from './entities/purchase.entity.js';
import { ReturnNotice } from './entities/return-notice.entity.js';
import { PurchasesController } from './http/purchases.controller.js';
import { InventoryPrices } from './inventory-prices.js';
import { Purchases1764244800000 } from './migrations/1764244800000-purchases.js';
import { ReturnNotices1764331200000 } from './migrations/1764331200000-return-notices.js';
import { PurchaseRows } from './purchase-rows.js';
import { Purchases } from './purchases.service.js';
import { ReturnNoticeParticipant } from './return-notice.participant.js';
import type { settings } from './settings.js';

@Module({})
class CheckoutModule {}

export function checkoutModule({ purchasePrepareMs }: Config<typeof settings>): DynamicModule {
  return {
    module: CheckoutModule,
    imports: [
      databaseModule({
        entities: [Purchase, ReturnNotice],
        migrations: [Purchases1764244800000, ReturnNotices1764331200000],
      }),
      eventsModule({
        publishes: [PurchaseReturned],
        subscribes: [],
        sagas: [buyOutfit(purchasePrepareMs)],
      }),
    ],
    controllers: [PurchasesController],
    providers: [
      Purchases,
      PurchaseRows,
      ReturnNoticeParticipant,
      {
        provide: InventoryPrices,
        inject: [CONFIG],
        useFactory: ({ inventoryUrl }: Config<typeof settings>) => new InventoryPrices(inventoryUrl),
      },
    ],
  };
}
