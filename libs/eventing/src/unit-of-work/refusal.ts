/**
 * Refusals by a statement itself (`aura.refuse`, migration 0008): what must keep a COMMIT from counting fails
 * in SQL, because COMMIT is sent behind it without waiting for its answer.
 */

/** SQLSTATEs of `aura.refuse`. */
export const REFUSED = {
  /** A position belongs to another owner. */
  staleOwner: 'AU001',
} as const;

/** The detail that a statement has refused with; undefined where `error` is not that refusal. */
export function refusalDetail(error: unknown, code: string): unknown {
  const refused = error as { readonly code?: unknown; readonly detail?: unknown };
  if (refused?.code !== code || typeof refused.detail !== 'string') return undefined;
  return JSON.parse(refused.detail) as unknown;
}
