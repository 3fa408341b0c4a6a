/**
 * What may be written to a log: ids and short facts. Everything else is replaced before pino sees it.
 *
 * - R1 a field whose name says credential (authorization, cookie, password, token, secret, key of an API)
 *   is `***`;
 * - R2 payloads (fields named body, payload, and binary values wherever they are) are replaced by their size;
 * - R3 an error is its name, code, message, stack and causes: never a query's parameters, which drivers
 *   attach to it;
 * - R4 a password inside a URL is `***`, in fields and in the message;
 * - R5 depth, width and length are bounded: a line can't grow with its input.
 */
const HIDDEN = '***';
const CREDENTIAL =
  /^(proxy-)?authorization$|cookie$|passw(or)?d$|secret$|token$|^x-api-key$|api_?key$|credentials?$/i;
const PAYLOAD = /^(body|payload)$/i;
const URL_PASSWORD = /(\w:\/\/)[^\s/@]*:[^\s/@]*@/g;

const MAX_DEPTH = 5;
const MAX_ITEMS = 50;
const MAX_TEXT = 8_192;
const MAX_CAUSES = 5;

/** Fields as they may be logged. Pure; never throws. */
export function redactFields(fields: Record<string, unknown>): Record<string, unknown> {
  return redactObject(fields, 0, new Set());
}

/** Text as it may be logged: without passwords in URLs, at most 8,192 characters. */
export function redactText(text: string): string {
  const short = text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}… (${text.length} characters)` : text;
  return short.replaceAll(URL_PASSWORD, `$1${HIDDEN}@`);
}

function redactObject(fields: object, depth: number, seen: Set<object>): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields).slice(0, MAX_ITEMS))
    out[name] = redact(name, value, depth, seen);
  return out;
}

function redact(name: string, value: unknown, depth: number, seen: Set<object>): unknown {
  if (value === undefined || value === null) return value;
  if (CREDENTIAL.test(name)) return HIDDEN;
  if (PAYLOAD.test(name)) return sizeOf(value);
  if (typeof value === 'string') return redactText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object') return typeof value === 'function' ? undefined : value;
  if (ArrayBuffer.isView(value)) return sizeOf(value);
  if (value instanceof Date) return value;
  if (value instanceof Error) return redactError(value, 0);
  if ('toJSON' in value && typeof value.toJSON === 'function')
    return redact(name, value.toJSON(), depth + 1, seen);
  if (depth >= MAX_DEPTH) return '[deeper]';
  if (seen.has(value)) return '[circular]';
  seen.add(value);
  const safe = Array.isArray(value)
    ? value.slice(0, MAX_ITEMS).map((item) => redact('', item, depth + 1, seen))
    : redactObject(value, depth + 1, seen);
  seen.delete(value);
  return safe;
}

function redactError(error: Error, depth: number): Record<string, unknown> {
  const { code } = error as { code?: unknown };
  return {
    name: error.name,
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    message: redactText(error.message),
    stack: redactText(error.stack ?? ''),
    ...(error.cause instanceof Error && depth < MAX_CAUSES
      ? { cause: redactError(error.cause, depth + 1) }
      : {}),
    ...(error instanceof AggregateError
      ? {
          errors: error.errors
            .slice(0, MAX_CAUSES)
            .map((e) => (e instanceof Error ? redactText(e.message) : '?')),
        }
      : {}),
  };
}

function sizeOf(value: unknown): string {
  if (typeof value === 'string') return `[${value.length} characters]`;
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  return '[not logged]';
}
