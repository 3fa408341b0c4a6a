import { UnitsOfWork } from '@aura/eventing';
import { CONFIG, type Config } from '@aura/service';
import { Body, Controller, Inject, Post } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { keepAddress } from '../address-store.js';
import type { settings } from '../settings.js';
import { assertRegion, RegionName } from './region.js';
import { schemaOf } from './schema-of.js';

const MOST_LINES = 6;
const MOST_CHARACTERS = 200;

const line = z
  .string()
  .trim()
  .min(1)
  .max(MOST_CHARACTERS)
  .regex(/^\P{Cc}*$/u, 'must not have control characters');

/** Its messages name the place of a mistake, never what stood there: that is personal data. */
export const NewAddress = z.strictObject(
  {
    region: RegionName,
    lines: z
      .array(line)
      .min(1)
      .max(MOST_LINES)
      .describe('As they stand on a parcel: name, street, code, town.'),
  },
  { error: (issue) => (issue.code === 'unrecognized_keys' ? 'only region and lines are known' : undefined) },
);

export const KeptAddress = z.object({ ref: z.uuid(), region: z.string() });

@ApiTags('addresses')
@Controller('addresses')
export class AddressesController {
  constructor(
    private readonly units: UnitsOfWork,
    @Inject(CONFIG) private readonly config: Config<typeof settings>,
  ) {}

  @Post()
  @ApiOperation({
    summary: 'Keeps an address and gives it a reference',
    description: 'What a purchase names is the reference. The lines are never shown again, nor passed on.',
  })
  @ApiBody({ schema: schemaOf(NewAddress) })
  @ApiResponse({ status: 201, schema: schemaOf(KeptAddress) })
  async keep(
    @Body({ schema: NewAddress }) { region, lines }: z.output<typeof NewAddress>,
  ): Promise<z.output<typeof KeptAddress>> {
    assertRegion(region, this.config.regions);
    const ref = await this.units.run((work) => keepAddress(work, region, lines));
    return { ref, region };
  }
}
