import type { Clock } from '@aura/platform';
import { CLOCK, CONFIG, integer, type Config } from '@aura/service';
import { Controller, Get, Inject, Query } from '@nestjs/common';
import { ApiOperation, ApiQuery, ApiResponse, ApiTags } from '@nestjs/swagger';
import { EntityManager, MoreThanOrEqual, Raw } from 'typeorm';
import { z } from 'zod';
import { Slot } from '../entities/slot.entity.js';
import type { settings } from '../settings.js';
import { assertRegion, RegionName } from './region.js';
import { schemaOf } from './schema-of.js';

const SlotsAsked = z.strictObject({
  region: RegionName,
  from: z.iso
    .datetime({ offset: true })
    .transform((text) => new Date(text))
    .optional(),
  limit: integer(1, 200).default(50),
});

const FreeSlots = z.object({
  slots: z.array(
    z.object({
      id: z.uuid(),
      startsAt: z.iso.datetime(),
      endsAt: z.iso.datetime(),
      free: z.int().min(1).describe('Places for parcels, at this moment.'),
    }),
  ),
});

@ApiTags('slots')
@Controller('slots')
export class SlotsController {
  constructor(
    private readonly entities: EntityManager,
    @Inject(CONFIG) private readonly config: Config<typeof settings>,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Get()
  @ApiOperation({
    summary: 'Slots of a region that have free places, the first ones first',
    description: 'A hint: a place is yours when a purchase holds it. Ask for more with a later `from`.',
  })
  @ApiQuery({ name: 'region', schema: { type: 'string', maxLength: 40 } })
  @ApiQuery({
    name: 'from',
    required: false,
    schema: { type: 'string', format: 'date-time' },
    description: 'The earliest start. Default, and never earlier than: now.',
  })
  @ApiQuery({
    name: 'limit',
    required: false,
    schema: { type: 'integer', minimum: 1, maximum: 200, default: 50 },
  })
  @ApiResponse({ status: 200, schema: schemaOf(FreeSlots) })
  async free(
    @Query({ schema: SlotsAsked }) { region, from, limit }: z.output<typeof SlotsAsked>,
  ): Promise<z.output<typeof FreeSlots>> {
    assertRegion(region, this.config.regions);
    const now = this.clock.now();
    const slots = await this.entities.find(Slot, {
      where: {
        region,
        startsAt: MoreThanOrEqual(from !== undefined && from > now ? from : now),
        capacity: Raw((capacity) => `${capacity} > held + booked`),
      },
      order: { startsAt: 'ASC' },
      take: limit,
    });
    return { slots: slots.map(viewOf) };
  }
}

function viewOf({ id, startsAt, endsAt, capacity, held, booked }: Slot) {
  const free = capacity - held - booked;
  return { id, startsAt: startsAt.toISOString(), endsAt: endsAt.toISOString(), free };
}
