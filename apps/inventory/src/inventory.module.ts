import { databaseModule, eventsModule } from '@aura/service';
import { Module } from '@nestjs/common';
import { CatalogueLoader } from './catalogue/catalogue-loader.js';
import { Prices } from './catalogue/prices.js';
import { Garment } from './entities/garment.entity.js';
import { Stock } from './entities/stock.entity.js';
import { GarmentsController } from './http/garments.controller.js';
import { QuotesController } from './http/quotes.controller.js';
import { Stock1764000000000 } from './migrations/1764000000000-stock.js';
import { Returns1764331200000 } from './migrations/1764331200000-returns.js';
import { RestockParticipant } from './stock/restock-participant.js';
import { StockParticipant } from './stock/stock-participant.js';

@Module({
  imports: [
    databaseModule({ entities: [Garment, Stock], migrations: [Stock1764000000000, Returns1764331200000] }),
    eventsModule({ publishes: [], subscribes: [] }),
  ],
  controllers: [GarmentsController, QuotesController],
  providers: [CatalogueLoader, Prices, StockParticipant, RestockParticipant],
})
export class InventoryModule {}
