import { EventingHost, type Finding, type RelayParkedKey } from '@aura/eventing';
import { Body, Get, HttpCode, Post, Query } from '@nestjs/common';
import { AdminController } from './admin-controller.js';
import { type Asked, changeOf, KeyAsked, ListAsked, MendAsked } from './asked.js';
import { Operator } from './operator.guard.js';

interface RelayAnswer {
  readonly leader: boolean;
  /** Events that wait; undefined where another replica leads. */
  readonly waiting: number | undefined;
  readonly waitingSeconds: number | undefined;
  readonly lastError: string | undefined;
  readonly parkedKeys: readonly RelayParkedKey[];
  readonly findings: readonly Finding[];
}

@AdminController('relay')
export class RelayController {
  constructor(private readonly host: EventingHost) {}

  @Get()
  async status(@Query({ schema: ListAsked }) { limit }: Asked<typeof ListAsked>): Promise<RelayAnswer> {
    const { leader, lagRows, lagSeconds, lastError } = this.host.eventing.status().relay;
    return {
      leader,
      waiting: lagRows,
      waitingSeconds: lagSeconds,
      lastError: lastError?.message,
      parkedKeys: await this.#relay.parkedKeys(limit),
      findings: await this.#relay.findings(),
    };
  }

  @Post('resume-key')
  @HttpCode(200)
  resumeKey(
    @Body({ schema: KeyAsked }) asked: Asked<typeof KeyAsked>,
    @Operator() by: string,
  ): Promise<{ records: number }> {
    return this.#relay.resumeKey(asked.topic, asked.key, changeOf(asked, by));
  }

  @Post('mend')
  @HttpCode(200)
  async mend(
    @Body({ schema: MendAsked }) asked: Asked<typeof MendAsked>,
    @Operator() by: string,
  ): Promise<{ done: string }> {
    return { done: await this.#relay.mend(asked.code, changeOf(asked, by)) };
  }

  get #relay() {
    return this.host.eventing.operations.relay;
  }
}
