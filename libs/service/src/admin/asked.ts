/**
 * What may be sent to the admin API. Unknown names are refused: a slip of the pen must not widen a change.
 */
import type { Change, LetterSelection, MoveTarget, ReplaySelection } from '@aura/eventing';
import { z } from 'zod';
import { integer } from '../config/settings.js';

const name = z.string().min(1).max(255);
const key = z.string().min(1).max(10_000);
const int64 = z
  .string()
  .regex(/^\d{1,19}$/, 'must be a whole number, as text')
  .transform(BigInt)
  .refine((value) => value < 2n ** 63n, 'does not fit into 64 bits');
const time = z.iso.datetime({ offset: true }).transform((text) => new Date(text));
const partition = z.int().min(0).max(100_000);

const change = {
  reason: z.string().trim().min(3, 'say why, in 3 to 500 characters').max(500),
  dryRun: z.boolean().default(false),
};

const letterSelection = {
  topic: name.optional(),
  key: key.optional(),
  type: name.optional(),
  error: name.optional(),
  state: z.enum(['retrying', 'dead']).optional(),
};

export const ListAsked = z.strictObject({ limit: integer(1, 1_000).default(100) });
export const LettersAsked = z.strictObject({ ...letterSelection, limit: integer(1, 1_000).default(100) });
export const LettersOfKeyAsked = z.strictObject({ topic: name, key, limit: integer(1, 1_000).default(100) });
export const ChangeAsked = z.strictObject(change);
export const RedriveAsked = z.strictObject({ ...letterSelection, ...change });
export const DiscardAsked = z.strictObject({ topic: name, key, eventId: z.uuid(), ...change });
export const KeyAsked = z.strictObject({ topic: name, key, ...change });
export const MendAsked = z.strictObject({ code: name, ...change });
export const TopicsAsked = z.strictObject({
  partitions: z.int().min(1).max(1_000).default(12),
  replicationFactor: z.int().min(1).max(32).default(3),
  ...change,
});

/** Exactly one of the three targets. */
export const MoveAsked = z
  .strictObject({
    topic: name,
    partition: partition.optional(),
    to: z.enum(['first', 'end']).optional(),
    offset: int64.optional(),
    time: time.optional(),
    ...change,
  })
  .refine(
    ({ to, offset, time: at }) => [to, offset, at].filter((given) => given !== undefined).length === 1,
    'give one of to, offset and time',
  );

export const ReplayAsked = z.strictObject({
  selection: z.strictObject({
    topic: name.optional(),
    fromPosition: int64.optional(),
    toPosition: int64.optional(),
    from: time.optional(),
    to: time.optional(),
    type: name.optional(),
    key: key.optional(),
    correlationId: name.optional(),
    partitions: z.array(partition).min(1).max(1_000).optional(),
  }),
  perSecond: z.int().min(1).max(1_000_000).optional(),
  ...change,
});

export const SagasAsked = z.strictObject({
  type: name.optional(),
  phase: z.enum(['PREPARING', 'PREPARED', 'COMMITTING', 'COMMITTED', 'ABORTING', 'ABORTED']).optional(),
  attention: z.stringbool().optional(),
  startedBefore: time.optional(),
  before: z.uuid().optional(),
  limit: integer(1, 1_000).default(100),
});
export const ResolveAsked = z.strictObject({
  branch: name,
  outcome: z.enum(['committed', 'cancelled']),
  ...change,
});

export type Asked<S extends z.ZodType> = z.output<S>;

export function changeOf({ reason, dryRun }: Omit<Change, 'by'>, by: string): Change {
  return { reason, dryRun, by };
}

export function lettersOf({ topic, key: of, type, error, state }: LetterSelection): LetterSelection {
  return { topic, key: of, type, error, state };
}

export function targetOf({ to, offset, time: at }: Asked<typeof MoveAsked>): MoveTarget {
  if (to !== undefined) return { to };
  return offset === undefined ? { to: 'time', time: at as Date } : { to: 'offset', offset };
}

export function replayOf(asked: Asked<typeof ReplayAsked>): ReplaySelection {
  return asked.selection;
}
