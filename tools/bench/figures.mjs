// Figures of runs: medians with their spread. Pure.

/** The middle one; of an even number, the mean of the two. */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The value that a part `p` (0 to 1) of `values` does not exceed; null of none. */
export function percentile(values, p) {
  if (values.length === 0) return null;
  const sorted = Float64Array.from(values).toSorted();
  return sorted[Math.max(0, Math.ceil(p * sorted.length) - 1)];
}

/**
 * One row from the runs of one case.
 *
 * @param {{ system: string, case: string, concurrency: number }} name
 * @param {{ perSecond: number | null, stepsMs: ArrayLike<number>, failed: number }[]} runs `stepsMs`: how
 *   long each step took (of a hop: each event); `failed`: events that were lost or doubled
 * @param {object} [more] further fields
 */
export function rowOf(name, runs, more = {}) {
  return {
    ...name,
    ...spread(
      'perSecond',
      runs.map((run) => run.perSecond),
    ),
    ...spread(
      'p50Ms',
      runs.map((run) => percentile(run.stepsMs, 0.5)),
    ),
    ...spread(
      'p99Ms',
      runs.map((run) => percentile(run.stepsMs, 0.99)),
    ),
    failed: runs.reduce((sum, run) => sum + run.failed, 0),
    ...more,
  };
}

/** To four digits: no figure here is more certain. */
const round = (value) => Number(value.toPrecision(4));

function spread(field, values) {
  if (values.includes(null)) return { [field]: null };
  return {
    [field]: round(median(values)),
    [`${field}Min`]: round(Math.min(...values)),
    [`${field}Max`]: round(Math.max(...values)),
  };
}

/** Counts how often each serial (from 0) was seen, in one byte each. */
export class Tally {
  #seen;
  #beyond = 0;

  constructor(total) {
    this.#seen = new Uint8Array(total);
  }

  see(serial) {
    if (!(serial < this.#seen.length)) this.#beyond++;
    else if (this.#seen[serial] < 255) this.#seen[serial]++;
  }

  /** Serials that were not seen exactly once, and those that were never written. */
  get failed() {
    let wrong = this.#beyond;
    for (const times of this.#seen) if (times !== 1) wrong++;
    return wrong;
  }
}
