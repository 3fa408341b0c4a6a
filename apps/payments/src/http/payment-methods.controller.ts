import { randomUUID } from 'node:crypto';
import type { Clock } from '@aura/platform';
import { CLOCK } from '@aura/service';
import { Body, Controller, Inject, Post } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { EntityManager } from 'typeorm';
import { z } from 'zod';
import { PaymentMethod } from '../entities/payment-method.entity.js';
import { TOKEN_NAMES, TOKENS } from '../simulator/behaviour.js';

const NewMethod = z.strictObject({
  kind: z.literal('card'),
  token: z.enum(TOKEN_NAMES).describe(`The provider's name for the card. It is simulated: ${behaviours()}`),
  holderRef: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,63}$/, 'must be a reference such as customer-42: no names, no numbers of cards')
    .describe('Whose it is: a reference, no personal data.'),
});

const Method = NewMethod.extend({ ref: z.uuid(), createdAt: z.iso.datetime() });
type MethodView = z.output<typeof Method>;

@ApiTags('payment-methods')
@Controller('payment-methods')
export class PaymentMethodsController {
  constructor(
    private readonly entities: EntityManager,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Post()
  @ApiOperation({ summary: 'Keeps a payment method; purchases name it by its `ref`' })
  @ApiBody({ schema: z.toJSONSchema(NewMethod, { target: 'openapi-3.0' }) as object })
  @ApiResponse({ status: 201, schema: z.toJSONSchema(Method, { target: 'openapi-3.0' }) as object })
  async keep(@Body({ schema: NewMethod }) asked: z.output<typeof NewMethod>): Promise<MethodView> {
    const method = { ref: randomUUID(), ...asked, createdAt: this.clock.now() };
    await this.entities.insert(PaymentMethod, method);
    return { ...method, createdAt: method.createdAt.toISOString() };
  }
}

function behaviours(): string {
  return Object.entries(TOKENS)
    .map(([token, meaning]) => `\`${token}\`: ${meaning}`)
    .join(' ');
}
