/**
 * Errors by the caller's decision, not by their cause (docs/adr/0001). A catch site asks `kindOf(error)`,
 * never the text.
 *
 * - transient: the same call may succeed later (a connection, a lock, a broker away): retry with back-off.
 * - conflict:  somebody else changed what this call read: reload and decide again.
 * - terminal:  this input can never succeed: park it or refuse it.
 * - invariant: the program or its data is wrong: stop and tell an operator.
 */
export type ErrorKind = 'transient' | 'conflict' | 'terminal' | 'invariant';

/**
 * Base of Aura's own errors. `message` says what happened, to which id, and what to do; `cause` keeps the
 * original.
 */
export abstract class AuraError extends Error {
  abstract readonly kind: ErrorKind;
  override get name(): string {
    return this.constructor.name;
  }
}

export class TransientError extends AuraError {
  readonly kind = 'transient';
}

export class ConflictError extends AuraError {
  readonly kind = 'conflict';
}

export class TerminalError extends AuraError {
  readonly kind = 'terminal';
}

export class InvariantError extends AuraError {
  readonly kind = 'invariant';
}

/** SQLSTATEs (classes by their first two characters) after which the same statement may succeed. */
const TRANSIENT_SQLSTATE = /^(08|53|57P0[1-4]|57014|55P03|25P0[34]|58)/;
/** Serialization failure and deadlock: roll back and decide again. */
const CONFLICT_SQLSTATE = /^40/;
/** What Node says of a socket whose other end is away. */
const TRANSIENT_SYSTEM = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);

/**
 * The SQLSTATE or system code of an error or of its causes, outermost first; undefined where there is none.
 */
export function codeOf(error: unknown): string | undefined {
  for (let e = error, depth = 0; e instanceof Error && depth < 8; e = e.cause, depth++) {
    const { code, driverError } = e as Error & { code?: unknown; driverError?: { code?: unknown } };
    if (typeof code === 'string') return code;
    if (typeof driverError?.code === 'string') return driverError.code;
  }
  return undefined;
}

/**
 * What a caller may do about `error`: by class first, then by SQLSTATE or system code. Undefined means that
 * nothing is known: a handler's own error, which may be a bug or a passing fault; the caller's policy
 * decides.
 */
export function kindOf(error: unknown): ErrorKind | undefined {
  for (let e = error, depth = 0; e instanceof Error && depth < 8; e = e.cause, depth++)
    if (e instanceof AuraError) return e.kind;
  const code = codeOf(error);
  if (code === undefined) return undefined;
  if (CONFLICT_SQLSTATE.test(code) && code.length === 5) return 'conflict';
  if (TRANSIENT_SYSTEM.has(code) || (code.length === 5 && TRANSIENT_SQLSTATE.test(code))) return 'transient';
  return undefined;
}

/** What was thrown, which may be anything, as an error. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
