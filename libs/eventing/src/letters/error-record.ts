import { asError, codeOf } from '@aura/platform';

/** An error as letters and tasks keep it: enough to find the line, never the payload. */
export interface ErrorRecord {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
  /** SQLSTATE or system code, where there is one. */
  readonly code?: string;
}

const MAX_MESSAGE = 2_000;
const MAX_STACK = 8_000;

/** Bounded, whatever was thrown. Causes are kept in the stack. */
export function errorRecord(thrown: unknown): ErrorRecord {
  const error = asError(thrown);
  const code = codeOf(error);
  const causes: string[] = [];
  for (let e: unknown = error, depth = 0; e instanceof Error && depth < 5; e = e.cause, depth++)
    causes.push(e.stack ?? `${e.name}: ${e.message}`);
  return {
    name: error.name,
    message: error.message.slice(0, MAX_MESSAGE),
    stack: causes.join('\ncaused by ').slice(0, MAX_STACK),
    ...(code ? { code } : {}),
  };
}
