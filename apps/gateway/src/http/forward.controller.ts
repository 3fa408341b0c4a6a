import { Controller, Delete, Get, Post, Req, Res } from '@nestjs/common';
import { ApiBody, ApiHeader, ApiOperation, ApiQuery, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { Forward } from './forward.js';

/** What a client sends; the service that owns it says in its own /docs what it takes. */
const Json = (example: object): MethodDecorator => ApiBody({ schema: { type: 'object', example } });
const Filters = (...names: string[]): MethodDecorator => {
  return (target, key, descriptor) => {
    for (const name of names) ApiQuery({ name, required: false })(target, key, descriptor);
  };
};

const ITEMS = [{ sku: 'SHI-101-WHT', size: 'M', quantity: 1 }];

/** The routes of other services that a browser meets here, so that it knows one origin only. */
@ApiTags('shop')
@Controller()
export class ForwardController {
  constructor(private readonly forward: Forward) {}

  @Get('garments')
  @ApiOperation({ summary: 'The garments that are offered, page by page (inventory)' })
  @Filters('category', 'colour', 'formality', 'season', 'size', 'maxPrice', 'cursor', 'limit')
  garments(@Req() request: Request, @Res() response: Response): Promise<void> {
    return this.forward.to('inventory', request, response);
  }

  @Get('garments/:sku')
  @ApiOperation({ summary: 'A garment, and what there is of each size (inventory)' })
  garment(@Req() request: Request, @Res() response: Response): Promise<void> {
    return this.forward.to('inventory', request, response);
  }

  @Post('quotes')
  @ApiOperation({ summary: 'What a basket costs now (inventory)' })
  @Json({ items: ITEMS })
  quotes(@Req() request: Request, @Res() response: Response): Promise<void> {
    return this.forward.to('inventory', request, response);
  }

  @Post('addresses')
  @ApiOperation({ summary: 'Keeps an address and gives it a reference (delivery)' })
  @Json({ region: 'North', lines: ['Jane Doe', '1 Main Street', '12345 Town'] })
  addresses(@Req() request: Request, @Res() response: Response): Promise<void> {
    return this.forward.to('delivery', request, response);
  }

  @Get('slots')
  @ApiOperation({ summary: 'Delivery slots of a region that have room (delivery)' })
  @Filters('region', 'from', 'limit')
  slots(@Req() request: Request, @Res() response: Response): Promise<void> {
    return this.forward.to('delivery', request, response);
  }

  @Post('payment-methods')
  @ApiOperation({ summary: 'Keeps a payment method and gives it a reference (payments)' })
  @Json({ kind: 'card', token: 'tok-ok', holderRef: 'customer-42' })
  paymentMethods(@Req() request: Request, @Res() response: Response): Promise<void> {
    return this.forward.to('payments', request, response);
  }

  @Post('purchases')
  @ApiOperation({
    summary: 'Buys an outfit: stock, money and a delivery slot, all or nothing (checkout)',
    description: 'Repeat it with the same key when no answer came: it is bought once.',
  })
  @ApiHeader({ name: 'Idempotency-Key', required: true })
  @Json({ items: ITEMS, addressRef: 'of POST /addresses', paymentMethodRef: 'of POST /payment-methods' })
  buy(@Req() request: Request, @Res() response: Response): Promise<void> {
    return this.forward.to('checkout', request, response);
  }

  @Get('purchases/:id')
  @ApiOperation({ summary: 'A purchase: what became of it, branch by branch, and why (checkout)' })
  purchase(@Req() request: Request, @Res() response: Response): Promise<void> {
    return this.forward.to('checkout', request, response);
  }

  @Delete('purchases/:id')
  @ApiOperation({ summary: 'Cancels a purchase while it is not decided (checkout)' })
  cancel(@Req() request: Request, @Res() response: Response): Promise<void> {
    return this.forward.to('checkout', request, response);
  }

  @Post('returns')
  @ApiOperation({
    summary: 'Returns things of a purchase: into stock, and their price back, or neither (delivery)',
    description: 'Repeat it with the same key when no answer came: it is returned once.',
  })
  @ApiHeader({ name: 'Idempotency-Key', required: true })
  @Json({ purchaseId: 'of POST /purchases', items: ITEMS })
  giveBack(@Req() request: Request, @Res() response: Response): Promise<void> {
    return this.forward.to('delivery', request, response);
  }

  @Get('returns/:id')
  @ApiOperation({ summary: 'A return: what became of it, branch by branch, and why (delivery)' })
  returned(@Req() request: Request, @Res() response: Response): Promise<void> {
    return this.forward.to('delivery', request, response);
  }
}
