import { databaseModule, eventsModule } from '@aura/service';
import { Module } from '@nestjs/common';
import { DeliveryParticipant } from './delivery.participant.js';
import { Address } from './entities/address.entity.js';
import { SlotBooking } from './entities/slot-booking.entity.js';
import { Slot } from './entities/slot.entity.js';
import { AddressesController } from './http/addresses.controller.js';
import { DeliveriesController } from './http/deliveries.controller.js';
import { SlotsController } from './http/slots.controller.js';
import { DeliverySlots1764201600000 } from './migrations/1764201600000-delivery-slots.js';
import { SlotUpkeep } from './slot-upkeep.js';

@Module({
  imports: [
    databaseModule({ entities: [Address, Slot, SlotBooking], migrations: [DeliverySlots1764201600000] }),
    eventsModule({ publishes: [], subscribes: [] }),
  ],
  controllers: [AddressesController, SlotsController, DeliveriesController],
  providers: [DeliveryParticipant, SlotUpkeep],
})
export class DeliveryModule {}
