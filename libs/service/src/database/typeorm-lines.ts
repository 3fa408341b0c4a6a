import type { Logger } from '@aura/platform';
import type { Logger as TypeOrmLogger } from 'typeorm';

/**
 * What TypeORM has to say, in the service's log instead of on the standard output. Never queries and their
 * parameters: they are payloads, and traces have the statements.
 */
export class TypeOrmLines implements TypeOrmLogger {
  constructor(private readonly logger: Logger) {}

  logQuery(): void {}
  logQueryError(): void {}
  logQuerySlow(): void {}
  logSchemaBuild(): void {}

  logMigration(message: string): void {
    this.logger.debug({ context: 'TypeORM' }, message);
  }

  log(level: 'log' | 'info' | 'warn', message: unknown): void {
    const write = level === 'warn' ? 'warn' : 'debug';
    this.logger[write]({ context: 'TypeORM' }, String(message));
  }
}
