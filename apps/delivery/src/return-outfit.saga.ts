import type { Work } from '@aura/eventing';
import { saga, type DecidedSaga, type Saga } from '@aura/saga';
import { Refund, Restock, ReturnNotice } from '@aura/schemas';
import type { ReturnedLine } from './domain/return-price.js';
import { settleHeld } from './slot-store.js';

/** What a return asks of everybody: references, and no personal data. */
export interface OutfitReturn {
  readonly purchaseId: string;
  readonly items: readonly ReturnedLine[];
  readonly refundCents: number;
  readonly currency: string;
}

/** The name of the booking with which a return's parcel is picked up. */
export const PICK_UP = 'pick-up';

/**
 * Pieces go back into stock, which can be undone; then the money goes back, which can't: the card's bank
 * decides the return. Whatever it says, the buyer is told of a return that went through, once.
 *
 * Picking it up is delivery's own part, so it is no branch: rows of the transactions that start and decide
 * it.
 */
export function returnOutfit(prepareMs: number): Saga<OutfitReturn> {
  return saga<OutfitReturn>('return-outfit', 1)
    .branch('restock', Restock, ({ purchaseId, items }) => ({ purchaseId, items }))
    .branch('refund', Refund, ({ purchaseId, refundCents, currency }) => ({
      purchaseId,
      amountCents: BigInt(refundCents),
      currency,
    }))
    .branch('notice', ReturnNotice, ({ purchaseId, items, refundCents, currency }) => ({
      purchaseId,
      items,
      refundCents,
      currency,
    }))
    .within({ prepareMs, attentionMs: 120_000 })
    .decided(settlePickUps);
}

/**
 * A pick-up that is not held any more is left out: a database that was put back may have forgotten it, and
 * the decision stands.
 */
async function settlePickUps(sagas: readonly DecidedSaga[], work: Work): Promise<void> {
  const pickUps = (committed: boolean) =>
    sagas
      .filter((each) => each.committed === committed)
      .map(({ id: sagaId }) => ({ sagaId, branch: PICK_UP }));
  await settleHeld(work, 'book', pickUps(true));
  await settleHeld(work, 'release', pickUps(false));
}
