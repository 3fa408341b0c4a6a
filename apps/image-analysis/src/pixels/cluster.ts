/** K-means that answers the same for the same points (Lloyd, 1982; seeds by the farthest point). Pure. */
export interface Clusters {
  /** `k * dimensions` numbers; fewer than k where the points have fewer distinct values. */
  readonly centres: Float32Array;
  /** Cluster of each point. */
  readonly of: Int32Array;
  readonly k: number;
}

/** Clusters `points` (row by row, `dimensions` numbers each) around at most `wanted` centres. */
export function kMeans(
  points: Float32Array,
  dimensions: number,
  wanted: number,
  rounds: number = 12,
): Clusters {
  const count = points.length / dimensions;
  const centres = seeds(points, dimensions, Math.min(wanted, count));
  const k = centres.length / dimensions;
  const of = new Int32Array(count).fill(-1);
  for (let round = 0; round < rounds; round++) {
    if (!assign(points, dimensions, centres, of)) break;
    recentre(points, dimensions, centres, of);
  }
  return { centres, of, k };
}

/** Squared distance of point `i` to centre `c`. */
function squared(
  points: Float32Array,
  i: number,
  centres: Float32Array,
  c: number,
  dimensions: number,
): number {
  let sum = 0;
  for (let d = 0; d < dimensions; d++)
    sum += ((points[i * dimensions + d] ?? 0) - (centres[c * dimensions + d] ?? 0)) ** 2;
  return sum;
}

/** Starts at the mean, then always takes the point that is farthest from all taken so far. */
function seeds(points: Float32Array, dimensions: number, k: number): Float32Array {
  const count = points.length / dimensions;
  const centres = new Float32Array(k * dimensions);
  for (let i = 0; i < count; i++)
    for (let d = 0; d < dimensions; d++)
      centres[d] = (centres[d] ?? 0) + (points[i * dimensions + d] ?? 0) / count;
  const nearest = new Float32Array(count).fill(Number.POSITIVE_INFINITY);
  for (let taken = 1; taken < k; taken++) {
    let farthest = 0;
    for (let i = 0; i < count; i++) {
      nearest[i] = Math.min(nearest[i] ?? 0, squared(points, i, centres, taken - 1, dimensions));
      if ((nearest[i] ?? 0) > (nearest[farthest] ?? 0)) farthest = i;
    }
    if ((nearest[farthest] ?? 0) < 1e-9) return centres.slice(0, taken * dimensions);
    centres.set(points.subarray(farthest * dimensions, (farthest + 1) * dimensions), taken * dimensions);
  }
  return centres;
}

/** Gives every point its nearest centre; false where nothing moved. */
function assign(points: Float32Array, dimensions: number, centres: Float32Array, of: Int32Array): boolean {
  const k = centres.length / dimensions;
  let moved = false;
  for (let i = 0; i < of.length; i++) {
    let best = 0;
    let least = Number.POSITIVE_INFINITY;
    for (let c = 0; c < k; c++) {
      const away = squared(points, i, centres, c, dimensions);
      if (away < least) [best, least] = [c, away];
    }
    if (of[i] !== best) moved = true;
    of[i] = best;
  }
  return moved;
}

function recentre(points: Float32Array, dimensions: number, centres: Float32Array, of: Int32Array): void {
  const k = centres.length / dimensions;
  const sums = new Float64Array(centres.length);
  const counts = new Int32Array(k);
  for (let i = 0; i < of.length; i++) {
    const c = of[i] ?? 0;
    counts[c] = (counts[c] ?? 0) + 1;
    for (let d = 0; d < dimensions; d++)
      sums[c * dimensions + d] = (sums[c * dimensions + d] ?? 0) + (points[i * dimensions + d] ?? 0);
  }
  for (let c = 0; c < k; c++)
    for (let d = 0; d < dimensions; d++)
      if ((counts[c] ?? 0) > 0)
        centres[c * dimensions + d] = (sums[c * dimensions + d] ?? 0) / (counts[c] ?? 1);
}
