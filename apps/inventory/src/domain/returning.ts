/**
 * What may come back of what was sold. Pure: the rows that it is given are locked by its caller.
 *
 * - R1 returns are served in the order given, each as if those before it had been served alone;
 * - R2 a return gets all of its lines or none;
 * - R3 of a purchase never more comes back than was sold in it.
 */
import { totals } from './allocation.js';
import { basketProblem, pieceKey, type Line } from './basket.js';

/** Pieces of one SKU and size in one purchase. */
export interface SoldPieces {
  readonly sold: number;
  readonly returned: number;
}

export interface Returned {
  readonly purchaseId: string;
  readonly items: readonly Line[];
}

export interface ReturnRefusal {
  readonly code: 'bad-return' | 'unknown-purchase' | 'not-sold' | 'already-returned' | 'too-many';
  /** One sentence for people, without a full stop. */
  readonly reason: string;
}

/** By purchase, then by `pieceKey`. */
export type SoldByPurchase = ReadonlyMap<string, ReadonlyMap<string, SoldPieces>>;

/** Per return, in their order: undefined where it is served. A refusal names the first line that can't be. */
export function judgeReturns(
  returns: readonly Returned[],
  sold: SoldByPurchase,
): readonly (ReturnRefusal | undefined)[] {
  const left = new Map([...sold].map(([id, pieces]) => [id, new Map(pieces)]));
  return returns.map(({ purchaseId, items }) => {
    const pieces = left.get(purchaseId);
    const refusal = refusalOf(purchaseId, items, pieces);
    if (refusal || !pieces) return refusal;
    for (const line of items) {
      const before = pieces.get(pieceKey(line)) as SoldPieces;
      pieces.set(pieceKey(line), { ...before, returned: before.returned + line.quantity });
    }
    return undefined;
  });
}

/** All lines of these returns, by purchase: each SKU and size once. */
export function returnedTotals(returns: readonly Returned[]): (Line & { readonly purchaseId: string })[] {
  return [...Map.groupBy(returns, ({ purchaseId }) => purchaseId)].flatMap(([purchaseId, group]) =>
    totals(group.flatMap(({ items }) => items)).map((line) => ({ ...line, purchaseId })),
  );
}

function refusalOf(
  purchaseId: string,
  items: readonly Line[],
  pieces: ReadonlyMap<string, SoldPieces> | undefined,
): ReturnRefusal | undefined {
  const problem = basketProblem(items);
  if (problem !== undefined)
    return { code: 'bad-return', reason: `what comes back is no list of pieces: ${problem}` };
  if (!pieces) return { code: 'unknown-purchase', reason: `nothing was sold in purchase ${purchaseId}` };
  if ([...pieces.values()].every(({ sold, returned }) => returned === sold))
    return { code: 'already-returned', reason: 'this purchase has already been returned' };
  for (const line of items) {
    const refusal = lineRefusal(line, pieces.get(pieceKey(line)));
    if (refusal) return refusal;
  }
  return undefined;
}

function lineRefusal({ sku, size, quantity }: Line, was: SoldPieces | undefined): ReturnRefusal | undefined {
  if (!was)
    return { code: 'not-sold', reason: `nothing of ${sku} in size ${size} was sold in this purchase` };
  const { sold, returned } = was;
  if (returned === sold)
    return { code: 'already-returned', reason: `size ${size} of ${sku} has already been returned` };
  if (returned + quantity <= sold) return undefined;
  const back = returned > 0 ? `, and ${returned} came back before` : '';
  const were = `${sold} of ${sku} in size ${size} were sold in this purchase`;
  return { code: 'too-many', reason: `${were}${back}: ${quantity} can't come back` };
}
