/**
 * Refusals by a statement itself (`aura.refuse`, migration 0008): what must keep a COMMIT from counting fails
 * in SQL, because COMMIT is sent behind it without waiting for its answer.
 */

/** SQLSTATEs of `aura.refuse`: of class AU for who asked, or one that everybody knows. */
export const REFUSED = {
  /** The same may go well in a moment: it is tried again, as after a serialization failure. */
  again: '40001',
  /** A position belongs to another owner. */
  staleOwner: 'AU001',
} as const;

/** The detail that a statement has refused with; undefined where `error` is not that refusal. */
export function refusalDetail(error: unknown, code: string): unknown {
  const refused = error as { readonly code?: unknown; readonly detail?: unknown };
  if (refused?.code !== code || typeof refused.detail !== 'string') return undefined;
  return JSON.parse(refused.detail) as unknown;
}
