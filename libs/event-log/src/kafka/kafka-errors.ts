import { asError, AuraError, TerminalError, TransientError } from '@aura/platform';
import { RecordRefusedError, UnknownTopicError } from '../errors.js';

/** What the broker never takes, whatever is done about it. */
const REFUSED = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_RECORD',
  'INVALID_TIMESTAMP',
]);
/** What is asked for in a way that no broker will take. */
const MISTAKEN = new Set([
  'INVALID_TOPIC_EXCEPTION',
  'INVALID_PARTITIONS',
  'INVALID_CONFIG',
  'POLICY_VIOLATION',
]);
/**
 * The group goes on without this member until it joins again; its partitions may be somebody else's by now.
 */
const EVICTED = new Set(['UNKNOWN_MEMBER_ID', 'ILLEGAL_GENERATION', 'FENCED_INSTANCE_ID']);
const REJOIN = new Set([...EVICTED, 'REBALANCE_IN_PROGRESS', 'NOT_COORDINATOR_FOR_GROUP']);

/**
 * The name of the Kafka protocol's error in an error of kafkajs or in its causes; undefined where there is
 * none.
 */
export function protocolType(error: unknown): string | undefined {
  for (let e = error, depth = 0; e instanceof Error && depth < 8; depth++) {
    const { type, errors } = e as Error & { type?: unknown; errors?: readonly unknown[] };
    if (typeof type === 'string') return type;
    e = e.cause ?? errors?.[0];
  }
  return undefined;
}

export const isUnknownTopic = (error: unknown): boolean =>
  error instanceof UnknownTopicError || protocolType(error) === 'UNKNOWN_TOPIC_OR_PARTITION';
export const isTooLarge = (error: unknown): boolean =>
  ['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'].includes(protocolType(error) ?? '');
export const mustRejoin = (error: unknown): boolean => REJOIN.has(protocolType(error) ?? '');
export const isEvicted = (error: unknown): boolean => EVICTED.has(protocolType(error) ?? '');

/**
 * An error of kafkajs as one of ours: refused for good, or to be tried again. `what` says what was being
 * done.
 */
export function toLogError(error: unknown, what: string): Error {
  if (error instanceof AuraError) return error;
  const cause = asError(error);
  const message = `${what}: ${cause.message}`;
  const type = protocolType(cause) ?? '';
  if (REFUSED.has(type)) return new RecordRefusedError(message, { cause });
  if (MISTAKEN.has(type)) return new TerminalError(message, { cause });
  return new TransientError(message, { cause });
}

/** Rejects with a `TransientError` when `promise` takes longer than `ms`. The promise itself goes on. */
export async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new TransientError(`${what}: no answer within ${Math.round(ms)} ms`)),
      ms,
    );
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Connects a client of kafkajs. One that could not be connected may hold a connection all the same (it found
 * a broker, but not the one it needed), which would keep its process alive for ever: it is ended.
 */
export async function connectOrEnd(client: {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
}): Promise<void> {
  try {
    await client.connect();
  } catch (error) {
    void client.disconnect().catch(() => undefined); // it is given up either way
    throw error;
  }
}
