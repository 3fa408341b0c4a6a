// A closed load: so many callers, each beginning its next call when the last one is answered.

/**
 * `concurrency` callers for `seconds`, or until `total` calls were begun; calls under way are waited for.
 *
 * @param {(n: number) => Promise<boolean>} call one call, from 0 on: whether it ended as it should
 * @param {{ concurrency: number, seconds?: number, total?: number }} how
 * @returns {Promise<{ perSecond: number, stepsMs: number[], failed: number }>} a run for `rowOf`
 */
export async function closedLoad(call, { concurrency, seconds = Infinity, total = Infinity }) {
  const begunMs = performance.now();
  const untilMs = begunMs + seconds * 1_000;
  const stepsMs = [];
  let [next, failed] = [0, 0];
  const caller = async () => {
    while (next < total && performance.now() < untilMs) {
      const startMs = performance.now();
      if (await call(next++)) stepsMs.push(performance.now() - startMs);
      else failed++;
    }
  };
  await Promise.all(Array.from({ length: concurrency }, caller));
  return { perSecond: (stepsMs.length * 1_000) / (performance.now() - begunMs), stepsMs, failed };
}

/** Of a hundred calls in a row, the first `share` (0 to 1) of them. */
export const isAmong = (n, share) => (n % 100) / 100 < share;
