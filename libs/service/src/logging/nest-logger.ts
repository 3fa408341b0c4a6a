import type { LoggerService } from '@nestjs/common';
import { silentLogger, type Logger } from '@aura/platform';
import { currentScope } from './scope.js';

/** Nest's account of its own start: worth reading only when something is wrong with the modules. */
const CHATTER = new Set([
  'NestFactory',
  'InstanceLoader',
  'RoutesResolver',
  'RouterExplorer',
  'NestApplication',
]);

/**
 * Nest keeps one logger per process, we have one per service: this one passes each line to the logger of
 * the service whose work is running (see scope.ts), else to that of the service started last.
 */
class NestLogger implements LoggerService {
  #last: Logger = silentLogger;

  serve(logger: Logger): this {
    this.#last = logger;
    return this;
  }

  log(message: unknown, ...rest: unknown[]): void {
    const context = contextOf(rest);
    const level = context !== undefined && CHATTER.has(context) ? 'debug' : 'info';
    this.#logger()[level]({ context }, textOf(message));
  }

  error(message: unknown, ...rest: unknown[]): void {
    const stack = typeof rest[0] === 'string' && rest[0].includes('\n') ? rest[0] : undefined;
    const error = message instanceof Error ? message : undefined;
    this.#logger().error({ context: contextOf(rest), error, stack }, textOf(message));
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.#logger().warn({ context: contextOf(rest) }, textOf(message));
  }

  debug(message: unknown, ...rest: unknown[]): void {
    this.#logger().debug({ context: contextOf(rest) }, textOf(message));
  }

  verbose(message: unknown, ...rest: unknown[]): void {
    this.debug(message, ...rest);
  }

  #logger(): Logger {
    return currentScope()?.logger ?? this.#last;
  }
}

export const nestLogger = new NestLogger();

/** Nest passes the context as the last argument. */
function contextOf(rest: readonly unknown[]): string | undefined {
  const last = rest.at(-1);
  return typeof last === 'string' && !last.includes('\n') ? last : undefined;
}

function textOf(message: unknown): string {
  if (message instanceof Error) return message.message;
  return typeof message === 'string' ? message : JSON.stringify(message);
}
