import { IdempotencyKey } from '@aura/service';
import { Body, Controller, Get, Param, ParseUUIDPipe, Post, Res } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { z } from 'zod';
import type { ReturnView } from '../domain/return-view.js';
import { refusedReturn, Returns } from '../returns.service.js';
import { schemaOf } from './schema-of.js';

const CODE = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,39}$/, 'is not written as one');

const Asked = z.strictObject({
  purchaseId: z.uuid().describe('Of checkout: POST /purchases.'),
  items: z
    .array(z.strictObject({ sku: CODE, size: CODE, quantity: z.int().min(1).max(20) }))
    .min(1)
    .max(20)
    .refine(
      (items) => new Set(items.map(({ sku, size }) => `${sku} ${size}`)).size === items.length,
      'a SKU and size stands twice: add their quantities',
    ),
});

@ApiTags('returns')
@Controller('returns')
export class ReturnsController {
  constructor(private readonly returns: Returns) {}

  @Post()
  @ApiOperation({
    summary: 'Returns things of a purchase: into stock, and their price back to the card, or neither',
    description: 'Repeat it with the same key when no answer came: it is returned once.',
  })
  @ApiBody({ schema: schemaOf(Asked) })
  @ApiResponse({ status: 201, description: 'Returned, and when it is picked up.' })
  @ApiResponse({ status: 202, description: 'Not decided yet: the Location header says where to ask.' })
  @ApiResponse({ status: 404, description: 'Nothing of such a purchase was ever delivered.' })
  @ApiResponse({ status: 409, description: 'Refused: the problem names the branch and the reason.' })
  async start(
    @Body({ schema: Asked }) asked: z.output<typeof Asked>,
    @IdempotencyKey() key: string,
    @Res({ passthrough: true }) response: Response,
  ): Promise<ReturnView> {
    const found = await this.returns.start(asked, key);
    const { id, state, why } = found;
    if (state === 'refused') {
      const { branch = null, code = 'unknown', reason = 'it was not said why' } = why ?? {};
      const detail = `Return ${id} was refused: ${reason}. All is as it was.`;
      throw refusedReturn(detail, { return: id, branch, code });
    }
    response.location(`/returns/${id}`);
    response.status(state === 'returned' ? 201 : 202);
    return found;
  }

  @Get(':id')
  @ApiOperation({ summary: 'A return: what became of it, branch by branch, and why' })
  find(@Param('id', ParseUUIDPipe) id: string): Promise<ReturnView> {
    return this.returns.find(id);
  }
}
