import { ProblemException } from '@aura/service';
import { Controller, Get, Param, ParseUUIDPipe } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { EntityManager } from 'typeorm';
import { z } from 'zod';
import { paymentsOf } from '../ledger/ledger.js';
import { PaymentsSchema, viewOf, type PaymentsView } from './payment-view.js';

@ApiTags('payments')
@Controller('payments')
export class PaymentsController {
  constructor(private readonly entities: EntityManager) {}

  @Get(':sagaId')
  @ApiOperation({
    summary: 'What was authorised, captured, taken back and refunded for a saga, and the ledger of it',
  })
  @ApiResponse({ status: 200, schema: z.toJSONSchema(PaymentsSchema, { target: 'openapi-3.0' }) as object })
  async get(@Param('sagaId', ParseUUIDPipe) sagaId: string): Promise<PaymentsView> {
    const payments = await paymentsOf(this.entities, sagaId);
    if (payments.length === 0)
      throw new ProblemException({ status: 404, detail: `No money was held for saga ${sagaId}.` });
    return { sagaId, payments: payments.map(viewOf) };
  }
}
