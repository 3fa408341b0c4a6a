// A service as an app would have it, for the tests that need a process of its own.
import 'reflect-metadata';
import { Controller, Get, Headers, Module } from '@nestjs/common';
import { traceHeaders } from '@aura/platform';
import { DataSource } from 'typeorm';
import { databaseModule, defineConfig, runMain } from '../src/index.js';

@Controller('things')
class ThingsController {
  constructor(private readonly database: DataSource) {}

  @Get(':id')
  async get(@Headers('traceparent') given: string): Promise<unknown> {
    await this.database.query('select 1 as visible_in_the_trace');
    return { given, carried: traceHeaders().traceparent };
  }

  @Get('never/ending')
  never(): Promise<void> {
    process.stderr.write('under way\n');
    return new Promise(() => undefined);
  }
}

@Module({ imports: [databaseModule({ entities: [], migrations: [] })], controllers: [ThingsController] })
class ThingsModule {}

await runMain({ config: defineConfig('things'), module: () => ThingsModule });
