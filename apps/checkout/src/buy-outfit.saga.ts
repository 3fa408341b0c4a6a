import type { Work } from '@aura/eventing';
import { statement } from '@aura/platform';
import { saga, type BegunSaga, type Saga } from '@aura/saga';
import { DeliverySlot, PaymentHold, StockHold } from '@aura/schemas';
import type { PurchaseLine } from './entities/purchase.entity.js';

/** What a purchase asks of everybody: references, and no personal data. */
export interface Outfit {
  readonly items: readonly { readonly sku: string; readonly size: string; readonly quantity: number }[];
  readonly amountCents: number;
  readonly currency: string;
  readonly methodRef: string;
  readonly addressRef: string;
  /** What checkout keeps of it. Of that others get what is in the parcel. */
  readonly purchase: {
    readonly idempotencyKey: string;
    readonly requestHash: string;
    readonly lines: readonly PurchaseLine[];
  };
}

/** All purchases that were started together. */
const KEEP = statement(
  'purchase_insert',
  `insert into purchase (id, idempotency_key, request_hash, lines, total_cents, currency, asked_at)
   select id, key, hash, lines::jsonb, total, currency, $7
     from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::int[], $6::text[])
       as p(id, key, hash, lines, total, currency)`,
);

/** Stock, money and a place in a delivery slot: all three, or none of them. */
export function buyOutfit(prepareMs: number): Saga<Outfit> {
  return saga<Outfit>('buy-outfit', 1)
    .branch('stock', StockHold, ({ items }) => ({ items }))
    .branch('payment', PaymentHold, ({ amountCents, currency, methodRef }) => ({
      amountCents: BigInt(amountCents),
      currency,
      methodRef,
    }))
    .branch('delivery', DeliverySlot, ({ addressRef, purchase }) => ({
      addressRef,
      parcels: 1,
      notBefore: null,
      // A return is priced by it, and needs nobody to be asked then.
      contents: purchase.lines.map(({ sku, size, quantity, unitPriceCents }) => ({
        sku,
        size,
        quantity,
        unitPriceCents,
      })),
    }))
    .within({ prepareMs, attentionMs: 120_000 })
    .begun(keepPurchases);
}

async function keepPurchases(begun: readonly BegunSaga<Outfit>[], work: Work): Promise<void> {
  await work.run(KEEP, [
    begun.map(({ id }) => id),
    begun.map(({ input }) => input.purchase.idempotencyKey),
    begun.map(({ input }) => input.purchase.requestHash),
    begun.map(({ input }) => JSON.stringify(input.purchase.lines)),
    begun.map(({ input }) => input.amountCents),
    begun.map(({ input }) => input.currency),
    work.now,
  ]);
}
