import { trace } from '@opentelemetry/api';
import type { Logger } from '@aura/platform';
import { pino, type DestinationStream, type LevelWithSilent } from 'pino';
import { redactFields, redactText } from './redact.js';
import { currentScope } from './scope.js';

export interface LoggerOptions {
  /** The service: a field of every line. */
  readonly name: string;
  readonly level: LevelWithSilent;
  /**
   * A file, or a stream. Default: the standard output. Lines are written as they come, none is lost at
   * exit.
   */
  readonly destination?: string | DestinationStream;
}

/**
 * JSON lines through pino: time, level, service, trace_id and span_id of the active span, request_id, the
 * given fields, message. What must not be in a log is taken out first (see redact.ts). Never throws for
 * what it is given.
 */
export function createLogger({ name, level, destination }: LoggerOptions): Logger {
  const stream =
    typeof destination === 'object'
      ? destination
      : pino.destination({ dest: destination ?? 1, mkdir: true, sync: true });
  const out = pino(
    {
      level,
      base: { service: name },
      messageKey: 'message',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      mixin: correlation,
    },
    stream,
  );
  const write =
    (at: 'debug' | 'info' | 'warn' | 'error') =>
    (fields: Record<string, unknown>, message: string): void => {
      if (out.isLevelEnabled(at)) out[at](redactFields(fields), redactText(message));
    };
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
}

/** What ties a line to its trace and its request. */
function correlation(): Record<string, string> {
  const span = trace.getActiveSpan()?.spanContext();
  const requestId = currentScope()?.requestId;
  return {
    ...(span ? { trace_id: span.traceId, span_id: span.spanId } : {}),
    ...(requestId ? { request_id: requestId } : {}),
  };
}
