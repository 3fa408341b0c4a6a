export { ServiceTokenGuard, Caller } from './auth/service-token.guard.js';
export { ServiceTokens, TokenRefused } from './auth/service-tokens.js';
export {
  ConfigError,
  configTable,
  defineConfig,
  type Config,
  type ConfigDefinition,
  type Environment,
  type SettingDescription,
} from './config/config.js';
export { Secret } from './config/secret.js';
export { flag, integer, list, port, secret, secretUrl, url } from './config/settings.js';
export { databaseModule, type DatabaseModuleOptions } from './database/database.module.js';
export { eventsModule, withEvents, type EventsModuleOptions } from './eventing/events.module.js';
export {
  Health,
  type CheckOptions,
  type HealthCheck,
  type HealthReport,
  type Probe,
} from './health/health.js';
export { EventStreams, type EventStream, type ServerSentEvent } from './http/event-streams.js';
export { IdempotencyKey, parseIdempotencyKey } from './http/idempotency-key.js';
export {
  ProblemException,
  type InvalidPart,
  type ProblemDocument,
  type ProblemOptions,
} from './http/problem.js';
export { validated } from './http/validation.js';
export { createLogger, type LoggerOptions } from './logging/logger.js';
export { LISTENS, runMain } from './run-main.js';
export {
  startService,
  type RunningService,
  type ServiceDefinition,
  type StartOptions,
} from './start-service.js';
export { startTelemetry, stopTelemetry, type TelemetryOptions } from './telemetry/sdk.js';
export { CLOCK, CONFIG, LOGGER } from './tokens.js';
