import { EventingHost, type ReplayCount, type ReplayJob } from '@aura/eventing';
import { Body, Get, HttpCode, Param, ParseUUIDPipe, Post, Query } from '@nestjs/common';
import { ProblemException } from '../http/problem.js';
import { AdminController } from './admin-controller.js';
import { type Asked, ChangeAsked, changeOf, ListAsked, ReplayAsked } from './asked.js';
import { Operator } from './operator.guard.js';

@AdminController('replays')
export class ReplaysController {
  constructor(private readonly host: EventingHost) {}

  @Get()
  async list(
    @Query({ schema: ListAsked }) { limit }: Asked<typeof ListAsked>,
  ): Promise<{ jobs: readonly ReplayJob[] }> {
    return { jobs: await this.#replay.list(limit) };
  }

  @Get(':id')
  async find(@Param('id', ParseUUIDPipe) id: string): Promise<{ job: ReplayJob }> {
    const job = await this.#replay.find(id);
    if (!job) throw new ProblemException({ status: 404, detail: `There is no replay ${id}.` });
    return { job };
  }

  /** Counts first, in either case: what a person is told before, and what a dry run is for. */
  @Post()
  @HttpCode(200)
  async start(
    @Body({ schema: ReplayAsked }) asked: Asked<typeof ReplayAsked>,
    @Operator() by: string,
  ): Promise<{ count: ReplayCount; job?: ReplayJob }> {
    const { selection, perSecond } = asked;
    const change = changeOf(asked, by);
    const count = await this.#replay.count(selection);
    if (change.dryRun) return { count };
    return { count, job: await this.#replay.start(selection, perSecond, change) };
  }

  @Post(':id/cancel')
  @HttpCode(200)
  async cancel(
    @Param('id', ParseUUIDPipe) id: string,
    @Body({ schema: ChangeAsked }) asked: Asked<typeof ChangeAsked>,
    @Operator() by: string,
  ): Promise<{ job: ReplayJob }> {
    const { job } = await this.find(id);
    await this.#replay.cancel(id, changeOf(asked, by));
    return asked.dryRun ? { job } : this.find(id);
  }

  get #replay() {
    return this.host.eventing.operations.replay;
  }
}
