import { databaseModule, eventsModule, type Config } from '@aura/service';
import { Module, type DynamicModule } from '@nestjs/common';
import { DeliveryParticipant } from './delivery.participant.js';
import { Address } from './entities/address.entity.js';
import { ParcelReturn } from './entities/parcel-return.entity.js';
import { SlotBooking } from './entities/slot-booking.entity.js';
import { Slot } from './entities/slot.entity.js';
import { AddressesController } from './http/addresses.controller.js';
import { DeliveriesController } from './http/deliveries.controller.js';
import { ReturnsController } from './http/returns.controller.js';
import { SlotsController } from './http/slots.controller.js';
import { DeliverySlots1764201600000 } from './migrations/1764201600000-delivery-slots.js';
import { Returns1764331200000 } from './migrations/1764331200000-returns.js';
import { returnOutfit } from './return-outfit.saga.js';
import { Returns } from './returns.service.js';
import type { settings } from './settings.js';
import { SlotUpkeep } from './slot-upkeep.js';

@Module({})
class DeliveryModule {}

export function deliveryModule({ returnPrepareMs }: Config<typeof settings>): DynamicModule {
  return {
    module: DeliveryModule,
    imports: [
      databaseModule({
        entities: [Address, Slot, SlotBooking, ParcelReturn],
        migrations: [DeliverySlots1764201600000, Returns1764331200000],
      }),
      eventsModule({ publishes: [], subscribes: [], sagas: [returnOutfit(returnPrepareMs)] }),
    ],
    controllers: [AddressesController, SlotsController, DeliveriesController, ReturnsController],
    providers: [DeliveryParticipant, SlotUpkeep, Returns],
  };
}
