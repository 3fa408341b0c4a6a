import { createHash } from 'node:crypto';
import { ConflictError } from '@aura/platform';
import { Sagas, type Saga, type SagaView, type StartedSaga } from '@aura/saga';
import { CONFIG, ProblemException, type Config } from '@aura/service';
import { Inject, Injectable } from '@nestjs/common';
import { EntityManager } from 'typeorm';
import { buyOutfit, type Outfit } from './buy-outfit.saga.js';
import { purchaseView, type PurchaseView } from './domain/purchase-view.js';
import type { Purchase } from './entities/purchase.entity.js';
import { ReturnNotice } from './entities/return-notice.entity.js';
import { InventoryPrices, type BasketLine } from './inventory-prices.js';
import { PurchaseRows } from './purchase-rows.js';
import type { settings } from './settings.js';

export interface PurchaseAsked {
  readonly items: readonly BasketLine[];
  readonly addressRef: string;
  readonly paymentMethodRef: string;
}

const SAME_KEY = 'this Idempotency-Key was used for another purchase: send a new key with another basket';

/** Starts purchases, and says what became of them. */
@Injectable()
export class Purchases {
  readonly #saga: Saga<Outfit>;

  constructor(
    private readonly sagas: Sagas,
    private readonly prices: InventoryPrices,
    private readonly rows: PurchaseRows,
    private readonly entities: EntityManager,
    @Inject(CONFIG) private readonly config: Config<typeof settings>,
  ) {
    this.#saga = buyOutfit(config.purchasePrepareMs);
  }

  /**
   * The purchase once it is decided, or as it is when the wait is over. The same key with the same basket
   * gives the first purchase, at the price of then.
   */
  async buy(asked: PurchaseAsked, key: string): Promise<PurchaseView> {
    const requestHash = createHash('sha256').update(JSON.stringify(asked)).digest('hex');
    const earlier = await this.#earlier(key, requestHash);
    const started = earlier ?? (await this.#start(asked, key, requestHash));
    const saga = await this.sagas.outcome(started, { withinMs: this.config.purchaseWaitMs });
    if (typeof started === 'string') return this.find(started);
    return view(started.id, await this.rows.byId(started.id), saga);
  }

  /** Throws a 404 for an id that is nobody's. */
  async find(id: string): Promise<PurchaseView> {
    const [purchase, saga, notices] = await Promise.all([
      this.rows.byId(id),
      this.sagas.find(id),
      this.entities.find(ReturnNotice, { where: { purchaseId: id }, order: { noticedAt: 'ASC' } }),
    ]);
    return view(id, purchase, saga, notices);
  }

  /** Cancels while it still can; the answer says what became of it. Throws as `find` does. */
  async cancel(id: string): Promise<PurchaseView> {
    const purchase = await this.rows.byId(id);
    const why = { code: 'cancelled', text: 'the buyer cancelled it' };
    return view(id, purchase, purchase && (await this.sagas.cancel(id, why)));
  }

  async #earlier(key: string, requestHash: string): Promise<string | undefined> {
    const known = await this.rows.byIdempotencyKey(key);
    if (known && known.requestHash !== requestHash)
      throw new ProblemException({ status: 422, kind: 'idempotency-key', detail: SAME_KEY });
    return known?.id;
  }

  /** Two of the same key at the same time are one saga: the other one's, where it was first. */
  async #start(asked: PurchaseAsked, key: string, requestHash: string): Promise<string | StartedSaga> {
    const { items, addressRef, paymentMethodRef: methodRef } = asked;
    const { lines, totalCents: amountCents, currency } = await this.prices.quote(items);
    const purchase = { idempotencyKey: key, requestHash, lines };
    const outfit = { items, amountCents, currency, methodRef, addressRef, purchase };
    try {
      return await this.sagas.submit(this.#saga, outfit, { idempotencyKey: key });
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error;
      const first = await this.#earlier(key, requestHash);
      if (first === undefined) throw error;
      return first;
    }
  }
}

function view(
  id: string,
  purchase: Purchase | undefined,
  saga: SagaView | undefined,
  notices: readonly ReturnNotice[] = [],
): PurchaseView {
  if (purchase && saga) return purchaseView(purchase, saga, notices);
  throw new ProblemException({ status: 404, kind: 'purchase', detail: `There is no purchase ${id}.` });
}
