/**
 * Who gets what when many ask at once. Pure: the rows that it is given are locked by its caller.
 *
 * - A1 asks are served in the order given, each as if those before it had been served alone;
 * - A2 an ask gets all of its lines or none;
 * - A3 never more is given than is there.
 */
import { basketProblem, pieceKey, type Line } from './basket.js';

export interface Refusal {
  readonly code: 'sold-out' | 'unknown-garment' | 'bad-basket';
  /** One sentence for people, without a full stop. */
  readonly reason: string;
}

export interface Allocation {
  /** Per ask, in their order: undefined where it is served. */
  readonly refusals: readonly (Refusal | undefined)[];
  /** What those who are served take, summed up per SKU and size. */
  readonly taken: readonly Line[];
}

/**
 * Gives `onHand` (by `pieceKey`, offered ones only) to `baskets`. A refusal names the first line that
 * can't be served.
 */
export function allocate(
  baskets: readonly (readonly Line[])[],
  onHand: ReadonlyMap<string, number>,
): Allocation {
  const left = new Map(onHand);
  const served: Line[] = [];
  const refusals = baskets.map((lines) => {
    const refusal = refusalOf(lines, left);
    if (refusal) return refusal;
    for (const line of lines) {
      left.set(pieceKey(line), (left.get(pieceKey(line)) ?? 0) - line.quantity);
      served.push(line);
    }
    return undefined;
  });
  return { refusals, taken: totals(served) };
}

function refusalOf(lines: readonly Line[], left: ReadonlyMap<string, number>): Refusal | undefined {
  const problem = basketProblem(lines);
  if (problem !== undefined) return { code: 'bad-basket', reason: problem };
  for (const line of lines) {
    const { sku, size, quantity } = line;
    const pieces = left.get(pieceKey(line));
    if (pieces === undefined)
      return { code: 'unknown-garment', reason: `there is no ${sku} in size ${size}` };
    if (pieces >= quantity) continue;
    const soldOut = `size ${size} of ${sku} is sold out`;
    const tooFew = `size ${size} of ${sku} is sold out but for ${pieces}: ${quantity} were asked for`;
    return { code: 'sold-out', reason: pieces === 0 ? soldOut : tooFew };
  }
  return undefined;
}

/** The lines summed up per SKU and size, in the order in which each stands first. */
export function totals(lines: readonly Line[]): Line[] {
  const sums = new Map<string, Line>();
  for (const line of lines) {
    const sum = sums.get(pieceKey(line));
    sums.set(pieceKey(line), sum ? { ...sum, quantity: sum.quantity + line.quantity } : line);
  }
  return [...sums.values()];
}
