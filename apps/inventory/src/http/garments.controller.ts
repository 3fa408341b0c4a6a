import { ProblemException } from '@aura/service';
import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiOperation, ApiQuery, ApiResponse, ApiTags } from '@nestjs/swagger';
import { EntityManager } from 'typeorm';
import { z } from 'zod';
import { CODE } from '../domain/basket.js';
import { Garment } from '../entities/garment.entity.js';
import { Stock } from '../entities/stock.entity.js';
import { GarmentsAsked, GarmentsPage, GarmentWithStock, listed, withStock } from './garment-view.js';

const FILTERS = z.toJSONSchema(GarmentsAsked, { target: 'openapi-3.0', io: 'input' }).properties ?? {};

@ApiTags('garments')
@Controller('garments')
export class GarmentsController {
  constructor(private readonly entities: EntityManager) {}

  @Get()
  @ApiOperation({
    summary: 'The garments that are offered, by SKU, page by page',
    description: 'A garment is in the answer where all filters hold; `size` asks for what is offered in it.',
  })
  @EachFilter()
  @ApiResponse({ status: 200, schema: z.toJSONSchema(GarmentsPage, { target: 'openapi-3.0' }) as object })
  async list(@Query({ schema: GarmentsAsked }) asked: GarmentsAsked): Promise<GarmentsPage> {
    const { category, colour, formality, season, size, maxPrice, cursor, limit } = asked;
    const query = this.entities.createQueryBuilder(Garment, 'g').where('g.offered').orderBy('g.sku');
    const conditions: [value: string | number | undefined, sql: string][] = [
      [category, 'g.category = :category'],
      [colour, ':colour = any(g.colours)'],
      [formality, 'g.formality = :formality'],
      [season, ':season = any(g.seasons)'],
      [size, ':size = any(g.sizes)'],
      [maxPrice, 'g.price_cents <= :maxPrice'],
      [cursor, 'g.sku > :cursor'],
    ];
    for (const [value, sql] of conditions) if (value !== undefined) query.andWhere(sql);
    // One more than asked for tells whether there is another page.
    const found = await query
      .setParameters(asked)
      .take(limit + 1)
      .getMany();
    const page = found.slice(0, limit);
    const more = found.length > limit;
    return { garments: page.map(listed), nextCursor: more ? (page.at(-1)?.sku ?? null) : null };
  }

  @Get(':sku')
  @ApiOperation({ summary: 'A garment, and how many pieces of each size can be bought now' })
  @ApiResponse({ status: 200, schema: z.toJSONSchema(GarmentWithStock, { target: 'openapi-3.0' }) as object })
  async get(@Param('sku') sku: string): Promise<GarmentWithStock> {
    const garment = CODE.test(sku) ? await this.entities.findOneBy(Garment, { sku }) : null;
    if (!garment)
      throw new ProblemException({ status: 404, detail: `There is no garment ${sku.slice(0, 40)}.` });
    return withStock(garment, await this.entities.findBy(Stock, { sku }));
  }
}

/** Says on the OpenAPI page what the schema takes. */
function EachFilter(): MethodDecorator {
  return (target, name, descriptor) => {
    for (const [filter, schema] of Object.entries(FILTERS))
      ApiQuery({ name: filter, required: false, schema: schema as object })(target, name, descriptor);
  };
}
