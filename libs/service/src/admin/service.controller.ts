import { EventingHost, type Finding, type TopicPlan } from '@aura/eventing';
import { Body, Controller, Get, HttpCode, Inject, Post } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { Config } from '../config/config.js';
import { CONFIG } from '../tokens.js';
import { AdminController } from './admin-controller.js';
import { type Asked, changeOf, TopicsAsked } from './asked.js';
import { Operator } from './operator.guard.js';

/** Who this is: the one thing that may be asked without a token, because a token names its service. */
@ApiExcludeController()
@Controller('admin/v1')
export class WhoController {
  constructor(@Inject(CONFIG) private readonly config: Config) {}

  @Get()
  who(): { service: string } {
    return { service: this.config.name };
  }
}

/** What concerns the service as a whole. */
@AdminController('')
export class ServiceController {
  constructor(private readonly host: EventingHost) {}

  @Get('doctor')
  async doctor(): Promise<{ findings: readonly Finding[] }> {
    return { findings: await this.host.eventing.operations.doctor() };
  }

  @Post('topics/apply')
  @HttpCode(200)
  async applyTopics(
    @Body({ schema: TopicsAsked }) asked: Asked<typeof TopicsAsked>,
    @Operator() by: string,
  ): Promise<{ topics: readonly TopicPlan[] }> {
    const { partitions, replicationFactor } = asked;
    const wanted = { partitions, replicationFactor };
    return { topics: await this.host.eventing.operations.topics.apply(wanted, changeOf(asked, by)) };
  }
}
