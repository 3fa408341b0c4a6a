import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Clock, codeOf, type Logger, Shutdown, systemClock, TerminalError } from '@aura/platform';
import type { DynamicModule, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { z } from 'zod';
import type { COMMON_SETTINGS } from './config/common.js';
import type { Config, ConfigDefinition, Environment } from './config/config.js';
import { Health } from './health/health.js';
import { EventStreams } from './http/event-streams.js';
import { configureHttp, drain } from './http/http.js';
import { createLogger } from './logging/logger.js';
import { nestLogger } from './logging/nest-logger.js';
import { inScope } from './logging/scope.js';
import { ServiceModule, type ServiceParts } from './service.module.js';
import { startTelemetry, stopTelemetry } from './telemetry/sdk.js';

/** What a service is: its settings and its module. An app exports one, `main.ts` and the demo start it. */
export interface ServiceDefinition<S extends z.ZodRawShape = typeof COMMON_SETTINGS> {
  readonly config: ConfigDefinition<S>;
  readonly module: (config: Config<S>) => Type | DynamicModule;
  /** Last touches before the application starts, for example `app.connectMicroservice(...)`. */
  readonly configure?: (app: NestExpressApplication) => void | Promise<void>;
}

export interface StartOptions<S extends z.ZodRawShape> extends ServiceDefinition<S> {
  readonly environment: Environment;
  /** Default: JSON lines on the standard output, at the configured level. */
  readonly logger?: Logger;
  readonly clock?: Clock;
  /** Instead of the configured port; 0 takes a free one. */
  readonly port?: number;
  /**
   * True: this service starts the process's telemetry, unless it runs, and stops it. Default false:
   * somebody else does.
   */
  readonly telemetry?: boolean;
  /**
   * Ends the waiting of a start (for a database that is away), which then rejects. Has no effect
   * afterwards.
   */
  readonly signal?: AbortSignal;
}

export interface RunningService {
  readonly name: string;
  /** Where it listens, with the real port, without a slash at the end. */
  readonly url: string;
  readonly app: NestExpressApplication;
  /** Stops in the order of `STOP_STAGES`. Idempotent; never rejects: what does not stop cleanly is logged. */
  stop(): Promise<void>;
}

/**
 * Starts a service: reads its configuration, makes its logger, health and shutdown, builds its Nest
 * application, listens, starts its microservices (consumers). Many may run in one process, each with its
 * own environment.
 *
 * Rejects with `ConfigError` (all problems), `TerminalError` (port taken), or what a provider threw; what
 * had started has been stopped by then. Listens to no signal: see `runMain`.
 */
export async function startService<S extends z.ZodRawShape>(
  options: StartOptions<S>,
): Promise<RunningService> {
  const warnings: string[] = [];
  const config = options.config.load(options.environment, (sentence) => warnings.push(sentence));
  const logger = options.logger ?? createLogger({ name: config.name, level: config.logLevel });
  const shutdown = new Shutdown((part, error) =>
    logger.error({ part, error }, 'a part did not stop cleanly'),
  );
  const parts: ServiceParts = {
    config,
    logger,
    clock: options.clock ?? systemClock,
    shutdown,
    health: new Health(),
    streams: new EventStreams(),
    startSignal: options.signal ?? new AbortController().signal,
  };
  return inScope({ logger }, async () => {
    for (const warning of warnings) logger.warn({}, warning);
    try {
      if (options.telemetry) {
        const { name: serviceName, otlpEndpoint, traceSampleRatio } = config;
        startTelemetry({ serviceName, otlpEndpoint, traceSampleRatio });
        shutdown.add('telemetry', 'telemetry', stopTelemetry);
      }
      return await start(options, options.module(config), parts);
    } catch (error) {
      await shutdown.stop();
      throw error;
    }
  });
}

async function start<S extends z.ZodRawShape>(
  { configure, port }: StartOptions<S>,
  module: Type | DynamicModule,
  parts: ServiceParts,
): Promise<RunningService> {
  const { config, logger, shutdown, health, streams } = parts;
  const { name, httpHost } = config;
  const app = await NestFactory.create<NestExpressApplication>(ServiceModule.around(module, parts), {
    logger: nestLogger.serve(logger),
    // Nest would end the process, and other services with it.
    abortOnError: false,
    bodyParser: false,
  });
  shutdown.add('pools', 'application', () => app.close());
  configureHttp(app, parts);
  await configure?.(app);
  const server: Server = app.getHttpServer();
  shutdown.add('http', 'http', () => {
    health.stopping();
    streams.close();
    return drain(server);
  });
  await listen(app, name, httpHost, port ?? config.httpPort);
  await app.startAllMicroservices();
  health.started();
  const url = urlOf(server.address() as AddressInfo);
  logger.info({ url }, 'started');
  return {
    name,
    url,
    app,
    stop: () => inScope({ logger }, () => shutdown.stop()),
  };
}

async function listen(app: NestExpressApplication, name: string, host: string, port: number): Promise<void> {
  try {
    await app.listen(port, host);
  } catch (error) {
    const cure = 'set AURA_HTTP_PORT to another one, or to 0 for a free one';
    const code = codeOf(error);
    if (code === 'EADDRINUSE')
      throw new TerminalError(`${name} can't start: port ${port} of ${host} is taken; ${cure}`, {
        cause: error,
      });
    if (code === 'EACCES')
      throw new TerminalError(`${name} can't start: it may not use port ${port}; ${cure}`, { cause: error });
    if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
      throw new TerminalError(
        `${name} can't start: ${host} is no address of this machine; set AURA_HTTP_HOST`,
        {
          cause: error,
        },
      );
    throw error;
  }
}

/** What a person can open: a listener on all addresses is reached at this machine's own. */
function urlOf({ address, family, port }: AddressInfo): string {
  if (address === '0.0.0.0' || address === '::') return `http://127.0.0.1:${port}`;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}
