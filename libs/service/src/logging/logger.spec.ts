import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { trace } from '@opentelemetry/api';
import { Logger as NestsLogger } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recordingLogger } from '../../test/service.js';
import { Secret } from '../config/secret.js';
import { startTelemetry, stopTelemetry } from '../telemetry/sdk.js';
import { createLogger } from './logger.js';
import { nestLogger } from './nest-logger.js';
import { inScope } from './scope.js';

function memory(level: 'debug' | 'info' | 'silent' = 'info') {
  const written: string[] = [];
  const logger = createLogger({
    name: 'things',
    level,
    destination: { write: (line) => void written.push(line) },
  });
  return { logger, written, last: () => JSON.parse(written.at(-1) ?? '{}') as Record<string, unknown> };
}

describe('the logger', () => {
  beforeAll(() => void startTelemetry({ serviceName: 'things' }));
  afterAll(stopTelemetry);

  it('writes one JSON line with time, level, service, fields and message', () => {
    const { logger, last } = memory();
    logger.info({ photo_id: '7', positions: 12n }, 'photo received');
    const line = last();
    expect(line).toMatchObject({
      level: 'info',
      service: 'things',
      photo_id: '7',
      positions: '12',
      message: 'photo received',
    });
    expect(new Date(String(line['time'])).getTime()).toBeGreaterThan(Date.UTC(2020));
  });

  it('ties lines to the active span and to the request', () => {
    const { logger, last } = memory();
    const { traceId, spanId } = trace.getTracer('test').startActiveSpan('outer', (span) => {
      inScope({ logger, requestId: 'r-1' }, () => logger.info({}, 'inside'));
      span.end();
      return span.spanContext();
    });
    expect(traceId).toMatch(/^(?!0+$)[0-9a-f]{32}$/);
    expect(last()).toMatchObject({ trace_id: traceId, span_id: spanId, request_id: 'r-1' });
    logger.info({}, 'outside');
    expect(last()).not.toHaveProperty('trace_id');
    expect(last()).not.toHaveProperty('request_id');
  });

  it.each([
    ['R1: a header', { headers: { Authorization: 'Bearer hunter2', cookie: 'hunter2' } }],
    [
      'R1: fields named like credentials',
      { password: 'hunter2', accessToken: 'hunter2', apiKey: 'hunter2', user_secret: 'hunter2' },
    ],
    ['R1: deeper, and in lists', { a: [{ b: { 'set-cookie': ['hunter2'] } }] }],
    ['R2: payloads', { payload: { text: 'hunter2' }, body: 'hunter2', deep: { body: { x: 'hunter2' } } }],
    ['R2: binary values', { photo: Buffer.from('hunter2') }],
    [
      'R3: what a driver attaches to an error',
      { error: Object.assign(new Error('x'), { parameters: ['hunter2'], detail: 'hunter2' }) },
    ],
    [
      'R4: a URL',
      { url: 'postgres://aura:hunter2@db/x', error: new Error('at postgres://aura:hunter2@db/x') },
    ],
    ['a secret', { key: new Secret('hunter2'), all: [new Secret('hunter2')] }],
  ])('%s is not written', (_, fields) => {
    const { logger, written } = memory();
    logger.info(fields, 'and redis://:hunter2@cache is gone');
    expect(written).toHaveLength(1);
    expect(written[0]).not.toContain('hunter2');
    expect(written[0]).not.toContain(Buffer.from('hunter2').join(','));
  });

  it('R3: writes name, code, stack and causes of an error', () => {
    const { logger, last } = memory();
    const cause = Object.assign(new Error('connect refused'), { code: 'ECONNREFUSED' });
    logger.error({ error: new TypeError('no answer', { cause }) }, 'failed');
    expect(last()['error']).toMatchObject({
      name: 'TypeError',
      message: 'no answer',
      stack: expect.stringContaining('logger.spec.ts'),
      cause: { code: 'ECONNREFUSED', message: 'connect refused' },
    });
  });

  it('R5: is bounded, and does not mind circles', () => {
    const { logger, written } = memory();
    const circle: Record<string, unknown> = { name: 'circle' };
    circle['self'] = circle;
    const same = { shared: true };
    let deep: object = {};
    for (let i = 0; i < 100_000; i++) deep = { deep };
    const many = Array.from({ length: 100_000 }, (_, i) => i);
    logger.info({ circle, deep, many, long: 'x'.repeat(1_000_000), a: same, b: same }, 'bounded');
    expect(written[0]?.length).toBeLessThan(20_000);
    expect(JSON.parse(written[0] ?? '')).toMatchObject({ a: same, b: same, circle: { self: '[circular]' } });
  });

  it('writes to a file, and nothing when silent or below the level', () => {
    const folder = mkdtempSync(join(tmpdir(), 'log-'));
    try {
      const file = join(folder, 'deep', 'things.log');
      const logger = createLogger({ name: 'things', level: 'info', destination: file });
      logger.debug({}, 'unheard');
      logger.warn({}, 'heard');
      expect(readFileSync(file, 'utf8').trim().split('\n')).toHaveLength(1);
    } finally {
      rmSync(folder, { recursive: true });
    }
    const { logger, written } = memory('silent');
    logger.error({}, 'unheard');
    expect(written).toEqual([]);
  });
});

describe("Nest's lines", () => {
  it('go to the service whose work is running', () => {
    const [mine, last] = [recordingLogger(), recordingLogger()];
    NestsLogger.overrideLogger(nestLogger.serve(last));
    const nest = new NestsLogger('RouterExplorer');
    inScope({ logger: mine }, () => nest.log('Mapped {/things}'));
    new NestsLogger('Somewhere').error('it failed', 'Error: it failed\n    at x');
    nest.warn({ not: 'text' });
    expect(mine.lines).toEqual([
      { level: 'debug', fields: { context: 'RouterExplorer' }, message: 'Mapped {/things}' },
    ]);
    expect(last.lines).toEqual([
      {
        level: 'error',
        fields: { context: 'Somewhere', error: undefined, stack: 'Error: it failed\n    at x' },
        message: 'it failed',
      },
      { level: 'warn', fields: { context: 'RouterExplorer' }, message: '{"not":"text"}' },
    ]);
    NestsLogger.overrideLogger(['error']);
  });
});
