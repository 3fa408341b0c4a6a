import { type EventStream, EventStreams, ProblemException } from '@aura/service';
import { Controller, Get, Param, ParseUUIDPipe, Req, Res } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { EntityManager } from 'typeorm';
import { z } from 'zod';
import { AnalysisWatch } from '../analysis-watch.js';
import { isFinal } from '../domain/analysis-steps.js';
import { Analysis } from '../entities/analysis.entity.js';
import { AnalysisSchema, viewOf, type AnalysisView } from './analysis-view.js';

@ApiTags('analyses')
@Controller('analyses')
export class AnalysesController {
  constructor(
    private readonly entities: EntityManager,
    private readonly watch: AnalysisWatch,
    private readonly streams: EventStreams,
  ) {}

  @Get(':id')
  @ApiOperation({ summary: 'How far an analysis is, and what it found' })
  @ApiResponse({ status: 200, schema: z.toJSONSchema(AnalysisSchema, { target: 'openapi-3.0' }) as object })
  async get(@Param('id', ParseUUIDPipe) id: string): Promise<AnalysisView> {
    return viewOf(await this.#find(id));
  }

  @Get(':id/events')
  @ApiOperation({
    summary: 'The steps of an analysis as they happen (server-sent events)',
    description:
      'One event "step" per step, then one "analysis" with the whole answer; the stream ends there.',
  })
  @ApiResponse({ status: 200, content: { 'text/event-stream': {} } })
  async events(
    @Param('id', ParseUUIDPipe) id: string,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    await this.#find(id); // a 404 is a problem document, not a stream
    const stream = this.streams.open(request, response);
    // Not awaited: a request has a time limit, a stream lasts as long as its analysis. A client comes back
    // after a fault.
    this.#feed(id, stream).catch(() => stream.close());
  }

  async #feed(id: string, stream: EventStream): Promise<void> {
    let sent = Number(stream.lastEventId ?? 0) || 0;
    while (!stream.closed.aborted) {
      // Asked for before the row is read, so that a change in between is not missed.
      const changed = this.watch.next(id, stream.closed);
      const analysis = await this.#find(id);
      for (const [index, step] of analysis.steps.entries()) {
        if (index < sent) continue;
        await stream.send({ id: String(index + 1), type: 'step', data: step });
        sent = index + 1;
      }
      if (isFinal(analysis.state)) {
        await stream.send({ type: 'analysis', data: viewOf(analysis) });
        stream.close();
      }
      await changed;
    }
  }

  async #find(id: string): Promise<Analysis> {
    const analysis = await this.entities.findOneBy(Analysis, { id });
    if (!analysis) throw new ProblemException({ status: 404, detail: `There is no analysis ${id}.` });
    return analysis;
  }
}
