import { IdempotencyKey, ProblemException } from '@aura/service';
import { Body, Controller, Delete, Get, Param, ParseUUIDPipe, Post, Res } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { z } from 'zod';
import type { PurchaseView } from '../domain/purchase-view.js';
import { Purchases } from '../purchases.service.js';

const CODE = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,39}$/, 'is not written as one');
const REFERENCE = z.string().min(1).max(100);

const Asked = z.strictObject({
  items: z
    .array(z.strictObject({ sku: CODE, size: CODE, quantity: z.int().min(1).max(20) }))
    .min(1)
    .max(20)
    .refine(
      (items) => new Set(items.map(({ sku, size }) => `${sku} ${size}`)).size === items.length,
      'a SKU and size stands twice: add their quantities',
    ),
  addressRef: REFERENCE.describe('Of delivery: POST /addresses.'),
  paymentMethodRef: REFERENCE.describe('Of payments: POST /payment-methods.'),
});
type Asked = z.output<typeof Asked>;

@ApiTags('purchases')
@Controller('purchases')
export class PurchasesController {
  constructor(private readonly purchases: Purchases) {}

  @Post()
  @ApiOperation({
    summary: 'Buys an outfit: stock, money and a delivery slot, all or nothing',
    description: 'Repeat it with the same key when no answer came: it is bought once.',
  })
  @ApiBody({ schema: z.toJSONSchema(Asked, { target: 'openapi-3.0', io: 'input' }) as object })
  @ApiResponse({ status: 201, description: 'Bought.' })
  @ApiResponse({ status: 202, description: 'Not decided yet: the Location header says where to ask.' })
  @ApiResponse({ status: 409, description: 'Refused: the problem names the branch and the reason.' })
  async buy(
    @Body({ schema: Asked }) asked: Asked,
    @IdempotencyKey() key: string,
    @Res({ passthrough: true }) response: Response,
  ): Promise<PurchaseView> {
    const purchase = await this.purchases.buy(asked, key);
    response.location(`/purchases/${purchase.id}`);
    if (purchase.state === 'refused' || purchase.state === 'cancelled') throw refusalOf(purchase);
    response.status(purchase.state === 'bought' ? 201 : 202);
    return purchase;
  }

  @Get(':id')
  @ApiOperation({ summary: 'A purchase: what became of it, branch by branch, and why; its returns' })
  find(@Param('id', ParseUUIDPipe) id: string): Promise<PurchaseView> {
    return this.purchases.find(id);
  }

  @Delete(':id')
  @ApiOperation({ summary: 'Cancels a purchase while it is not decided' })
  @ApiResponse({ status: 200, description: 'Cancelled, or it had been refused before.' })
  @ApiResponse({ status: 409, description: 'It is bought: return it instead (POST /returns of delivery).' })
  async cancel(@Param('id', ParseUUIDPipe) id: string): Promise<PurchaseView> {
    const purchase = await this.purchases.cancel(id);
    if (purchase.state !== 'bought') return purchase;
    throw new ProblemException({
      status: 409,
      kind: 'purchase-decided',
      detail: `Purchase ${id} is bought already, so it can't be cancelled any more.`,
    });
  }
}

function refusalOf({ id, why }: PurchaseView): ProblemException {
  const { branch = null, code = 'unknown', reason = 'it was not said why' } = why ?? {};
  return new ProblemException({
    status: 409,
    kind: 'purchase-refused',
    detail: `Purchase ${id} was refused: ${reason}. Nothing was bought, and nothing stays held.`,
    headers: { Location: `/purchases/${id}` },
    extensions: { purchase: id, branch, code },
  });
}
