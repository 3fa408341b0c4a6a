import { saga, type Saga } from '@aura/saga';
import { DeliverySlot, PaymentHold, StockHold } from '@aura/schemas';

/** What a purchase asks of everybody: references, and no personal data. */
export interface Outfit {
  readonly items: readonly { readonly sku: string; readonly size: string; readonly quantity: number }[];
  readonly amountCents: number;
  readonly currency: string;
  readonly methodRef: string;
  readonly addressRef: string;
}

/** Stock, money and a place in a delivery slot: all three, or none of them. */
export function buyOutfit(prepareMs: number): Saga<Outfit> {
  return saga<Outfit>('buy-outfit', 1)
    .branch('stock', StockHold, ({ items }) => ({ items }))
    .branch('payment', PaymentHold, ({ amountCents, currency, methodRef }) => ({
      amountCents: BigInt(amountCents),
      currency,
      methodRef,
    }))
    .branch('delivery', DeliverySlot, ({ addressRef }) => ({ addressRef, parcels: 1, notBefore: null }))
    .within({ prepareMs, attentionMs: 120_000 });
}
