import { ProblemException } from '@aura/service';
import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { Prices } from '../catalogue/prices.js';
import { CODE, MAX_LINES, MAX_QUANTITY, pieceKey } from '../domain/basket.js';
import { quoteOf, type Price, type Quote } from '../domain/quote.js';

const code = z.string().regex(CODE, 'is not written as one');

const QuoteAsked = z.strictObject({
  items: z
    .array(z.strictObject({ sku: code, size: code, quantity: z.int().min(1).max(MAX_QUANTITY) }))
    .min(1)
    .max(MAX_LINES)
    .refine((lines) => new Set(lines.map(pieceKey)).size === lines.length, 'a SKU and size stands twice'),
});

const QuoteSchema = z.object({
  currency: z.literal('EUR'),
  lines: z.array(
    z.object({
      sku: z.string(),
      size: z.string(),
      quantity: z.int(),
      name: z.string(),
      unitPriceCents: z.int(),
      priceCents: z.int().describe('unitPriceCents * quantity'),
    }),
  ),
  totalCents: z.int(),
});

@ApiTags('quotes')
@Controller('quotes')
export class QuotesController {
  constructor(private readonly prices: Prices) {}

  @Post()
  @HttpCode(200)
  @ApiOperation({
    summary: 'What a basket costs now',
    description: 'Nothing is kept, and nothing is put aside: what is sold out has a price too.',
  })
  @ApiBody({ schema: z.toJSONSchema(QuoteAsked, { target: 'openapi-3.0', io: 'input' }) as object })
  @ApiResponse({ status: 200, schema: z.toJSONSchema(QuoteSchema, { target: 'openapi-3.0' }) as object })
  async quote(@Body({ schema: QuoteAsked }) { items }: z.output<typeof QuoteAsked>): Promise<Quote> {
    const prices = await this.prices.of(items);
    const unknown = items.flatMap((item, index) =>
      prices.has(pieceKey(item))
        ? []
        : [{ path: `items.${index}`, message: `there is no ${item.sku} in size ${item.size}` }],
    );
    if (unknown.length > 0)
      throw new ProblemException({
        status: 422,
        kind: 'unknown-garment',
        detail: `${unknown.length} of ${items.length} lines are not in the catalogue: see "errors".`,
        errors: unknown,
      });
    return quoteOf(items.map((item) => ({ ...item, price: prices.get(pieceKey(item)) as Price })));
  }
}
