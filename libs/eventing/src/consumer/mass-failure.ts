/**
 * Pure: when failing keys are no longer the events' fault (H22): a bad deploy would turn a whole topic into
 * dead letters.
 */
export interface MassFailureLimits {
  /** Of the keys seen within the window; more than this is a mass failure. Default 0.2. */
  readonly share?: number;
  /** Failed keys below which nothing is concluded. Default 20. */
  readonly minKeys?: number;
  /** Default 60,000. */
  readonly windowMs?: number;
}

/** Keys remembered per half of a window; with more of them, the share is taken of these. */
const MAX_KEYS = 20_000;

interface Half {
  readonly begunMs: number;
  readonly seen: Set<string>;
  readonly failed: Set<string>;
}

/**
 * Counts keys that were seen and keys that failed, each once, over half a window to a whole one. One
 * member's view: a deploy that is bad is bad on every replica. Times in ms of one clock that never falls.
 */
export class MassFailure {
  readonly #share: number;
  readonly #minKeys: number;
  readonly #windowMs: number;
  #before: Half;
  #now: Half;

  constructor({ share = 0.2, minKeys = 20, windowMs = 60_000 }: MassFailureLimits = {}) {
    this.#share = share;
    this.#minKeys = minKeys;
    this.#windowMs = windowMs;
    this.#now = this.#before = emptyHalf(-Infinity);
  }

  seen(keys: Iterable<string>, nowMs: number): void {
    const { seen } = this.#at(nowMs);
    for (const key of keys) if (seen.size < MAX_KEYS) seen.add(key);
  }

  /** Notes these as seen and failed. Gives the counts when it is a mass failure. */
  failed(keys: Iterable<string>, nowMs: number): { failed: number; seen: number } | undefined {
    const now = this.#at(nowMs);
    for (const key of keys) {
      now.failed.add(key);
      now.seen.add(key);
    }
    const failed = countOf(now.failed, this.#before.failed);
    if (failed < this.#minKeys) return undefined;
    const seen = countOf(now.seen, this.#before.seen);
    return failed > this.#share * seen ? { failed, seen } : undefined;
  }

  /** As new: what failed before somebody mended it says nothing of what comes. */
  forget(): void {
    this.#now = this.#before = emptyHalf(-Infinity);
  }

  #at(nowMs: number): Half {
    const age = nowMs - this.#now.begunMs;
    if (age >= this.#windowMs / 2) {
      this.#before = age >= this.#windowMs ? emptyHalf(nowMs) : this.#now;
      this.#now = emptyHalf(nowMs);
    }
    return this.#now;
  }
}

function emptyHalf(begunMs: number): Half {
  return { begunMs, seen: new Set(), failed: new Set() };
}

/** Of both together, each key once. */
function countOf(now: ReadonlySet<string>, before: ReadonlySet<string>): number {
  let count = now.size;
  for (const key of before) if (!now.has(key)) count++;
  return count;
}
