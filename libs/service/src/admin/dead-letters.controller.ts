import { EventingHost, type Letter, type LetterCount, type ParkedKey } from '@aura/eventing';
import { Body, Get, HttpCode, Post, Query } from '@nestjs/common';
import { AdminController } from './admin-controller.js';
import {
  type Asked,
  changeOf,
  DiscardAsked,
  LettersAsked,
  LettersOfKeyAsked,
  lettersOf,
  RedriveAsked,
} from './asked.js';
import { Operator } from './operator.guard.js';

@AdminController('dead-letters')
export class DeadLettersController {
  constructor(private readonly host: EventingHost) {}

  @Get()
  async list(
    @Query({ schema: LettersAsked }) asked: Asked<typeof LettersAsked>,
  ): Promise<{ keys: readonly ParkedKey[] }> {
    return { keys: await this.#letters.list(lettersOf(asked), asked.limit) };
  }

  @Get('letters')
  async show(
    @Query({ schema: LettersOfKeyAsked }) { topic, key, limit }: Asked<typeof LettersOfKeyAsked>,
  ): Promise<{ letters: readonly Letter[] }> {
    return { letters: await this.#letters.show(topic, key, limit) };
  }

  @Post('redrive')
  @HttpCode(200)
  redrive(
    @Body({ schema: RedriveAsked }) asked: Asked<typeof RedriveAsked>,
    @Operator() by: string,
  ): Promise<LetterCount> {
    return this.#letters.redrive(lettersOf(asked), changeOf(asked, by));
  }

  @Post('discard')
  @HttpCode(200)
  discard(
    @Body({ schema: DiscardAsked }) asked: Asked<typeof DiscardAsked>,
    @Operator() by: string,
  ): Promise<LetterCount> {
    return this.#letters.discard(asked.topic, asked.key, asked.eventId, changeOf(asked, by));
  }

  get #letters() {
    return this.host.eventing.operations.letters;
  }
}
