import { ProblemException } from '@aura/service';
import { Controller, Get, Param, ParseUUIDPipe } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { EntityManager, In } from 'typeorm';
import { z } from 'zod';
import { SlotBooking } from '../entities/slot-booking.entity.js';
import { Slot } from '../entities/slot.entity.js';
import { schemaOf } from './schema-of.js';

const Delivery = z.object({
  sagaId: z.uuid(),
  bookings: z
    .array(
      z.object({
        branch: z.string(),
        state: z.enum(['held', 'booked', 'released']),
        parcels: z.int(),
        addressRef: z.uuid(),
        slot: z.object({
          id: z.uuid(),
          region: z.string(),
          startsAt: z.iso.datetime(),
          endsAt: z.iso.datetime(),
        }),
        heldAt: z.iso.datetime(),
        settledAt: z.iso.datetime().nullable().describe('When it was booked or released.'),
      }),
    )
    .describe('One per branch of the saga that this service prepared.'),
});
type Delivery = z.output<typeof Delivery>;

@ApiTags('deliveries')
@Controller('deliveries')
export class DeliveriesController {
  constructor(private readonly entities: EntityManager) {}

  @Get(':sagaId')
  @ApiOperation({ summary: 'What a purchase (saga) has of our slots' })
  @ApiResponse({ status: 200, schema: schemaOf(Delivery) })
  async find(@Param('sagaId', ParseUUIDPipe) sagaId: string): Promise<Delivery> {
    const bookings = await this.entities.find(SlotBooking, { where: { sagaId }, order: { branch: 'ASC' } });
    if (bookings.length === 0)
      throw new ProblemException({
        status: 404,
        detail: `Saga ${sagaId} holds no place in a slot and never did: it was refused, or not asked yet.`,
      });
    const ids = bookings.map(({ slotId }) => slotId);
    const slots = await this.entities.findBy(Slot, { id: In(ids) });
    const byId = new Map(slots.map((slot) => [slot.id, slot]));
    return { sagaId, bookings: bookings.map((each) => viewOf(each, byId.get(each.slotId) as Slot)) };
  }
}

/** The reference of the address is shown, never the address. */
function viewOf(booking: SlotBooking, { id, region, startsAt, endsAt }: Slot): Delivery['bookings'][number] {
  const { branch, state, parcels, addressRef, heldAt, settledAt } = booking;
  return {
    branch,
    state: state.toLowerCase() as 'held',
    parcels,
    addressRef,
    slot: { id, region, startsAt: startsAt.toISOString(), endsAt: endsAt.toISOString() },
    heldAt: heldAt.toISOString(),
    settledAt: settledAt?.toISOString() ?? null,
  };
}
