/** Bounds of dead letters (E9); each has a default. */
export interface LetterLimits {
  /** Letters behind one key; at the bound its partition stands still (H52). Default 10,000. */
  readonly perKey?: number;
  /** Letters of the whole group; at the bound a partition with more of them stands still. Default 100,000. */
  readonly perGroup?: number;
  /** Failures of one event, that of its unit included, after which its key is dead. Default 5. */
  readonly maxAttempts?: number;
  /** Before the second attempt at most this long (ms), doubling; full jitter. Default 2,000. */
  readonly initialBackoffMs?: number;
  /** Default 300,000. */
  readonly maxBackoffMs?: number;
  /** Letters of one transaction of a redrive. Default 100. */
  readonly lettersPerStep?: number;
  /**
   * How often one attempt may begin without coming to an end (its process died) before the event at the
   * head is given up. Default 5.
   */
  readonly maxStarts?: number;
}

export function letterLimits(given: LetterLimits | undefined): Required<LetterLimits> {
  return {
    perKey: given?.perKey ?? 10_000,
    perGroup: given?.perGroup ?? 100_000,
    maxAttempts: given?.maxAttempts ?? 5,
    initialBackoffMs: given?.initialBackoffMs ?? 2_000,
    maxBackoffMs: given?.maxBackoffMs ?? 300_000,
    lettersPerStep: given?.lettersPerStep ?? 100,
    maxStarts: given?.maxStarts ?? 5,
  };
}
