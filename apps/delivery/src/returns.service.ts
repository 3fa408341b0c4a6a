import { createHash } from 'node:crypto';
import { UnitsOfWork, type Work } from '@aura/eventing';
import { ConflictError } from '@aura/platform';
import { Sagas, type Saga } from '@aura/saga';
import { CONFIG, ProblemException, type Config } from '@aura/service';
import { Inject, Injectable } from '@nestjs/common';
import { EntityManager } from 'typeorm';
import { allocate, type FreeSlot } from './domain/allocation.js';
import { noSlot, type Refusal } from './domain/refusals.js';
import { returnPrice, type ReturnedLine } from './domain/return-price.js';
import { returnView, type PickUpRow, type ReturnView } from './domain/return-view.js';
import { ParcelReturn } from './entities/parcel-return.entity.js';
import { SlotBooking } from './entities/slot-booking.entity.js';
import { Slot } from './entities/slot.entity.js';
import { PICK_UP, returnOutfit, type OutfitReturn } from './return-outfit.saga.js';
import type { settings } from './settings.js';
import { hold, lastStarts, openSlots, parcelOf, SLOTS_LOCK, type Parcel } from './slot-store.js';

export interface ReturnAsked {
  readonly purchaseId: string;
  readonly items: readonly ReturnedLine[];
}

const SAME_KEY = 'this Idempotency-Key was used for another return: send a new key with another one';
const CURRENCY = 'EUR';

/** Starts returns, and says what became of them. */
@Injectable()
export class Returns {
  readonly #saga: Saga<OutfitReturn>;

  constructor(
    private readonly sagas: Sagas,
    private readonly units: UnitsOfWork,
    private readonly entities: EntityManager,
    @Inject(CONFIG) private readonly config: Config<typeof settings>,
  ) {
    this.#saga = returnOutfit(config.returnPrepareMs);
  }

  /**
   * The return once it is decided, or as it is when the wait is over. The same key with the same pieces gives
   * the first return. Throws a problem where it can't be started: nothing was delivered, or can be picked up.
   */
  async start(asked: ReturnAsked, key: string): Promise<ReturnView> {
    const requestHash = createHash('sha256').update(JSON.stringify(asked)).digest('hex');
    const id = (await this.#earlier(key, requestHash)) ?? (await this.#begin(asked, key, requestHash));
    await this.sagas.outcome(id, { withinMs: this.config.returnWaitMs });
    return this.find(id);
  }

  /** Throws a 404 for an id that is nobody's. */
  async find(id: string): Promise<ReturnView> {
    const [row, saga, booking] = await Promise.all([
      this.entities.findOneBy(ParcelReturn, { id }),
      this.sagas.find(id),
      this.entities.findOneBy(SlotBooking, { sagaId: id, branch: PICK_UP }),
    ]);
    if (!row || !saga)
      throw new ProblemException({ status: 404, kind: 'return', detail: `There is no return ${id}.` });
    const slot = booking && (await this.entities.findOneBy(Slot, { id: booking.slotId }));
    return returnView(row, saga, booking && slot ? pickUpOf(booking, slot) : undefined);
  }

  async #earlier(key: string, requestHash: string): Promise<string | undefined> {
    const known = await this.entities.findOneBy(ParcelReturn, { idempotencyKey: key });
    if (known && known.requestHash !== requestHash)
      throw new ProblemException({ status: 422, kind: 'idempotency-key', detail: SAME_KEY });
    return known?.id;
  }

  /** Two of the same key at the same time are one saga: the other one's, where it was first. */
  async #begin(asked: ReturnAsked, key: string, requestHash: string): Promise<string> {
    try {
      return await this.units.run((work) => this.#write(asked, key, requestHash, work));
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error;
      const first = await this.#earlier(key, requestHash);
      if (first === undefined) throw error;
      return first;
    }
  }

  /** The return, its saga and the place of its pick-up, in one transaction. */
  async #write(
    { purchaseId, items }: ReturnAsked,
    key: string,
    requestHash: string,
    work: Work,
  ): Promise<string> {
    await work.lock(SLOTS_LOCK);
    const parcel = delivered(purchaseId, await parcelOf(work, purchaseId));
    const refundCents = granted(purchaseId, returnPrice(items, parcel.contents));
    const slot = granted(purchaseId, await pickUpSlot(work, parcel));
    const input = { purchaseId, items, refundCents, currency: CURRENCY };
    const { id, isNew } = await this.sagas.begin(work, this.#saga, input, { idempotencyKey: key });
    if (!isNew) return id;
    const row = { ...input, items: [...items], idempotencyKey: key, requestHash, askedAt: work.now };
    await work.manager.insert(ParcelReturn, { id, ...row });
    const { addressRef } = parcel;
    const ask = { sagaId: id, branch: PICK_UP };
    await hold(work, [{ ask, slotId: slot.id, addressRef, parcels: 1, contents: [] }]);
    return id;
  }
}

function pickUpOf({ state, slotId }: SlotBooking, { startsAt, endsAt }: Slot): PickUpRow {
  return { state, slotId, startsAt, endsAt };
}

function delivered(purchaseId: string, parcel: Parcel | undefined): Parcel {
  if (!parcel)
    throw new ProblemException({
      status: 404,
      kind: 'purchase',
      detail: `Delivery knows no parcel of purchase ${purchaseId}.`,
    });
  if (parcel.state === 'BOOKED') return parcel;
  throw new ProblemException({
    status: 409,
    kind: 'not-delivered',
    detail: `Purchase ${purchaseId} is on its way to nobody (its slot is ${parcel.state.toLowerCase()}).`,
  });
}

/** The first place after the parcel has arrived. */
async function pickUpSlot(work: Work, { region, arrivesBy }: Parcel): Promise<FreeSlot | Refusal> {
  const wanted = { region, parcels: 1, notBefore: arrivesBy > work.now ? arrivesBy : work.now };
  const [slot] = allocate([wanted], await openSlots(work, [region], wanted.notBefore));
  return slot ?? noSlot(wanted, (await lastStarts(work, [region])).get(region));
}

/** Throws what delivery itself refuses, before anybody else is asked. */
function granted<T extends number | FreeSlot>(purchaseId: string, judged: T | Refusal): T {
  if (!isRefusal(judged)) return judged;
  const { code, reason } = judged;
  throw refusedReturn(`Purchase ${purchaseId} can't be returned: ${reason}.`, { branch: PICK_UP, code });
}

function isRefusal(judged: object | number): judged is Refusal {
  return typeof judged === 'object' && 'code' in judged;
}

/** A refusal as a problem: `branch` and `code` for programs. */
export function refusedReturn(
  detail: string,
  extensions: { readonly branch: string | null; readonly code: string; readonly return?: string },
): ProblemException {
  const { return: id } = extensions;
  const headers: Record<string, string> = id === undefined ? {} : { Location: `/returns/${id}` };
  return new ProblemException({ status: 409, kind: 'return-refused', detail, headers, extensions });
}
