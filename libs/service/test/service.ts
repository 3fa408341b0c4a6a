import type { Logger } from '@aura/platform';
import type { DynamicModule, Type } from '@nestjs/common';
import { defineConfig, type Environment } from '../src/config/config.js';
import type { ProblemDocument } from '../src/http/problem.js';
import { type RunningService, startService } from '../src/start-service.js';

export interface Line {
  readonly level: string;
  readonly fields: Record<string, unknown>;
  readonly message: string;
}

/** A logger that keeps its lines. */
export function recordingLogger(): Logger & { readonly lines: Line[] } {
  const lines: Line[] = [];
  const keep = (level: string) => (fields: Record<string, unknown>, message: string) => {
    lines.push({ level, fields, message });
  };
  return { lines, debug: keep('debug'), info: keep('info'), warn: keep('warn'), error: keep('error') };
}

/** What a service needs that has no database: nothing is at these addresses. */
export const NOWHERE: Environment = {
  AURA_DATABASE_URL: 'postgres://nobody:hunter2@127.0.0.1:1/none',
  AURA_LOG_URL: 'postgres://nobody@127.0.0.1:1/none',
};

/** Starts `module` as a service at a free port, without a database. */
export function startTestService(
  module: Type | DynamicModule,
  environment: Environment = {},
  logger: Logger = recordingLogger(),
  name = 'things',
): Promise<RunningService> {
  return startService({
    config: defineConfig(name),
    module: () => module,
    environment: { ...NOWHERE, ...environment },
    logger,
  });
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body, where it is JSON. */
  readonly json: ProblemDocument;
}

export async function ask(url: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(url, init);
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json') ?? false;
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: (isJson ? JSON.parse(text) : {}) as ProblemDocument,
  };
}

/** A request with a JSON body; a string is sent as it is. */
export function jsonBody(body: unknown): RequestInit {
  return {
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  };
}
