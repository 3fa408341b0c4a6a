import { EventingHost, type GroupMove, type GroupState } from '@aura/eventing';
import { Body, Get, HttpCode, Post } from '@nestjs/common';
import { AdminController } from './admin-controller.js';
import { type Asked, ChangeAsked, changeOf, MoveAsked, targetOf } from './asked.js';
import { Operator } from './operator.guard.js';

/** The one group that a service is. */
@AdminController('group')
export class GroupController {
  constructor(private readonly host: EventingHost) {}

  @Get()
  state(): Promise<GroupState> {
    return this.#groups.state();
  }

  @Post('move')
  @HttpCode(200)
  async move(
    @Body({ schema: MoveAsked }) asked: Asked<typeof MoveAsked>,
    @Operator() by: string,
  ): Promise<{ moves: readonly GroupMove[] }> {
    const { topic, partition } = asked;
    const where = partition === undefined ? { topic } : { topic, partition };
    return { moves: await this.#groups.move(where, targetOf(asked), changeOf(asked, by)) };
  }

  @Post('pause')
  @HttpCode(200)
  pause(
    @Body({ schema: ChangeAsked }) asked: Asked<typeof ChangeAsked>,
    @Operator() by: string,
  ): Promise<void> {
    return this.#groups.pause(changeOf(asked, by));
  }

  @Post('resume')
  @HttpCode(200)
  resume(
    @Body({ schema: ChangeAsked }) asked: Asked<typeof ChangeAsked>,
    @Operator() by: string,
  ): Promise<void> {
    return this.#groups.resume(changeOf(asked, by));
  }

  get #groups() {
    return this.host.eventing.operations.groups;
  }
}
