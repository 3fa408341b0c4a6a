import { z } from 'zod';
import { flag, integer, list, port, secret, secretUrl, share, url } from './settings.js';

/** The settings that every service has. */
export const COMMON_SETTINGS = {
  httpHost: z
    .string()
    .default('127.0.0.1')
    .describe('Address to listen on. The default is reached from this machine only: there is no login.'),
  httpPort: port().default(0).describe('Port to listen on; 0 takes a free one.'),
  httpBodyLimitBytes: integer(1, 64 * 2 ** 20)
    .default(100 * 1024)
    .describe('Largest JSON body, in bytes.'),
  httpTimeoutMs: integer(1, 600_000)
    .default(30_000)
    .describe('A request unanswered for this long gets a 503.'),
  databaseUrl: secretUrl('postgres', 'postgresql').describe("The service's own database."),
  databasePoolSize: integer(1, 1_000).default(10).describe('Most connections to the database.'),
  databaseWaitMs: integer(0, 3_600_000)
    .default(60_000)
    .describe('How long to wait at start for a database that is away.'),
  logKind: z.enum(['postgres', 'kafka']).default('postgres').describe('Which event log: postgres or kafka.'),
  logUrl: secretUrl('postgres', 'postgresql')
    .optional()
    .describe('Database of the event log; required where the log is postgres.'),
  brokers: list()
    .optional()
    .describe('Kafka brokers, host:port, with commas; required where the log is kafka.'),
  registryUrl: url('http', 'https')
    .optional()
    .describe('Confluent-compatible schema registry; required where the log is kafka.'),
  logPartitions: integer(1, 1_000)
    .default(12)
    .describe('Partitions of a topic that this service makes. A topic that is there keeps its own.'),
  createTopics: flag()
    .default(false)
    .describe(
      'Whether missing topics are made at start; in production `npm run aura -- topics apply` makes them.',
    ),
  outboxRetentionDays: integer(1, 36_500)
    .optional()
    .describe(
      'Days after which raised events are dropped from the outbox; without it all are kept for replays.',
    ),
  inboxRetentionDays: integer(1, 36_500)
    .default(14)
    .describe('Days for which it is remembered which events were applied; replays of older ones are parked.'),
  sagaRetentionDays: integer(1, 36_500)
    .optional()
    .describe(
      'Days after which ended sagas and their idempotency keys are forgotten; without it all are kept.',
    ),
  outboxBudgetBytes: integer(1, 10 ** 14)
    .default(2 ** 30)
    .describe('Bytes of events that may wait to be published; past it new work gets a 503.'),
  outboxBudgetAgeMs: integer(1_000, 10 ** 12)
    .default(24 * 3_600_000)
    .describe('How long the oldest event may wait to be published; past it new work gets a 503.'),
  logLevel: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
    .default('info')
    .describe('Least important lines to write: trace, debug, info, warn, error, fatal or silent.'),
  docs: flag().default(true).describe('Whether /docs and /openapi.json are served.'),
  admin: flag()
    .default(true)
    .describe('Whether /admin is served to operators; it also needs AURA_SERVICE_TOKEN_SECRET.'),
  otlpEndpoint: url('http', 'https')
    .optional()
    .describe('Where traces go (OTLP over HTTP), for example http://127.0.0.1:4318; nowhere without it.'),
  traceSampleRatio: share()
    .optional()
    .describe(
      'Share of the traces begun here that are recorded, 0 to 1; others are as where they were begun. ' +
        '1 without it, and 0 where traces go nowhere.',
    ),
  serviceTokenSecret: secret(32)
    .optional()
    .describe('Key that signs and checks tokens between services, at least 32 characters; the same for all.'),
} as const;

/** What the type of a value can't say: which settings the chosen log needs. */
export function missingForLog(values: {
  readonly logKind: 'postgres' | 'kafka';
  readonly logUrl?: unknown;
  readonly brokers?: unknown;
  readonly registryUrl?: unknown;
}): readonly (keyof typeof COMMON_SETTINGS)[] {
  const needed = values.logKind === 'kafka' ? (['brokers', 'registryUrl'] as const) : (['logUrl'] as const);
  return needed.filter((setting) => values[setting] === undefined);
}
