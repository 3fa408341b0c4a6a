import {
  NoSuchSagaError,
  Sagas,
  type SagaAction,
  type SagaDetails,
  type SagaOperations,
  type SagaPage,
  type SagaView,
} from '@aura/saga';
import { Body, Get, HttpCode, Inject, Param, ParseUUIDPipe, Post, Query } from '@nestjs/common';
import { ProblemException } from '../http/problem.js';
import { AdminController } from './admin-controller.js';
import { type Asked, ChangeAsked, changeOf, ListAsked, ResolveAsked, SagasAsked } from './asked.js';
import { Operator } from './operator.guard.js';

/** The sagas that this service started. An action's answer is the saga after it. */
@AdminController('sagas')
export class SagasController {
  constructor(@Inject(Sagas) private readonly sagas: Sagas) {}

  @Get()
  async list(@Query({ schema: SagasAsked }) asked: Asked<typeof SagasAsked>): Promise<SagaPage> {
    const { limit, before, ...selection } = asked;
    if (!this.sagas.hasPart) return { sagas: [], next: undefined };
    return this.sagas.operations.list(selection, limit, before);
  }

  @Get(':id')
  async show(
    @Param('id', ParseUUIDPipe) id: string,
    @Query({ schema: ListAsked }) { limit }: Asked<typeof ListAsked>,
  ): Promise<SagaDetails> {
    return (await this.#operations(id).show(id, limit)) ?? missing(id);
  }

  @Post(':id/retry')
  @HttpCode(200)
  retry(
    @Param('id', ParseUUIDPipe) id: string,
    @Body({ schema: ChangeAsked }) asked: Asked<typeof ChangeAsked>,
    @Operator() by: string,
  ): Promise<{ saga: SagaView }> {
    return this.#act(id, { name: 'retry' }, asked, by);
  }

  @Post(':id/abort')
  @HttpCode(200)
  abort(
    @Param('id', ParseUUIDPipe) id: string,
    @Body({ schema: ChangeAsked }) asked: Asked<typeof ChangeAsked>,
    @Operator() by: string,
  ): Promise<{ saga: SagaView }> {
    return this.#act(id, { name: 'abort' }, asked, by);
  }

  @Post(':id/force-commit')
  @HttpCode(200)
  forceCommit(
    @Param('id', ParseUUIDPipe) id: string,
    @Body({ schema: ChangeAsked }) asked: Asked<typeof ChangeAsked>,
    @Operator() by: string,
  ): Promise<{ saga: SagaView }> {
    return this.#act(id, { name: 'force-commit' }, asked, by);
  }

  @Post(':id/force-cancel')
  @HttpCode(200)
  forceCancel(
    @Param('id', ParseUUIDPipe) id: string,
    @Body({ schema: ChangeAsked }) asked: Asked<typeof ChangeAsked>,
    @Operator() by: string,
  ): Promise<{ saga: SagaView }> {
    return this.#act(id, { name: 'force-cancel' }, asked, by);
  }

  @Post(':id/resolve')
  @HttpCode(200)
  resolve(
    @Param('id', ParseUUIDPipe) id: string,
    @Body({ schema: ResolveAsked }) asked: Asked<typeof ResolveAsked>,
    @Operator() by: string,
  ): Promise<{ saga: SagaView }> {
    const committed = asked.outcome === 'committed';
    return this.#act(id, { name: 'resolve', branch: asked.branch, committed }, asked, by);
  }

  async #act(
    id: string,
    action: SagaAction,
    asked: Asked<typeof ChangeAsked>,
    by: string,
  ): Promise<{ saga: SagaView }> {
    try {
      return { saga: await this.#operations(id).act(id, action, changeOf(asked, by)) };
    } catch (error) {
      if (error instanceof NoSuchSagaError) missing(id);
      throw error;
    }
  }

  #operations(id: string): SagaOperations {
    return this.sagas.hasPart ? this.sagas.operations : missing(id);
  }
}

function missing(id: string): never {
  throw new ProblemException({ status: 404, detail: `There is no saga ${id} that this service started.` });
}
