import type { Work } from '@aura/eventing';
import { ParticipantOf, prepared, refused, type Ask, type Participant, type Vote } from '@aura/saga';
import { DeliverySlot } from '@aura/schemas';
import { Injectable } from '@nestjs/common';
import { regionsOf } from './address-store.js';
import { allocate, type FreeSlot, type Wanted } from './domain/allocation.js';
import { badParcels, isReference, noSlot, unknownAddress, type Refusal } from './domain/refusals.js';
import { book, hold, lastStarts, openSlots, release, SLOTS_LOCK } from './slot-store.js';

/** What others may know of a hold: the reply of a prepared branch. */
export interface HeldSlot {
  readonly slotId: string;
  /** ISO 8601. */
  readonly startsAt: string;
  readonly endsAt: string;
}

type Asked = Ask<DeliverySlot>;
interface Wish extends Wanted {
  readonly ask: Asked;
}

/**
 * A place in a delivery slot for a purchase's parcels: held, then booked or released.
 *
 * The first slot that fits (domain/allocation.ts, D1 to D4); refuses with `bad-parcels`, `unknown-address`
 * or `no-slot`. A hold has no end of its own: it waits for its decision however long that takes. All asks
 * of a unit are served together, by at most five statements for a prepare and two for a commit or a cancel.
 */
@Injectable()
@ParticipantOf(DeliverySlot)
export class DeliveryParticipant implements Participant<DeliverySlot> {
  async prepare(ask: Asked, work: Work): Promise<Vote> {
    const [vote] = await this.prepareAll([ask], work);
    return vote as Vote;
  }

  async prepareAll(asks: readonly Asked[], work: Work): Promise<readonly Vote[]> {
    const regions = await knownRegions(asks, work);
    const judged = asks.map((ask) => judge(ask, regions.get(ask.input.addressRef), work.now));
    const wishes = judged.filter((each) => 'ask' in each);
    const votes = new Map([...(await place(wishes, work))].map(([{ ask }, vote]) => [ask, vote]));
    return asks.map((ask, index) => votes.get(ask) ?? no(judged[index] as Refusal));
  }

  commit(ask: Asked, work: Work): Promise<void> {
    return book(work, [ask]);
  }

  commitAll(asks: readonly Asked[], work: Work): Promise<void> {
    return book(work, asks);
  }

  cancel(ask: Asked, work: Work): Promise<void> {
    return release(work, [ask]);
  }

  cancelAll(asks: readonly Asked[], work: Work): Promise<void> {
    return release(work, asks);
  }
}

function knownRegions(asks: readonly Asked[], work: Work): Promise<ReadonlyMap<string, string>> {
  const refs = new Set(asks.map(({ input }) => input.addressRef).filter(isReference));
  return refs.size === 0 ? Promise.resolve(new Map()) : regionsOf(work, [...refs]);
}

/** What can be said before any slot is looked at. A slot that has begun is nobody's. */
function judge(ask: Asked, region: string | undefined, now: Date): Wish | Refusal {
  const { addressRef, parcels, notBefore } = ask.input;
  const bad = badParcels(parcels);
  if (bad) return bad;
  if (region === undefined) return unknownAddress(addressRef);
  return { ask, region, parcels, notBefore: notBefore !== null && notBefore > now ? notBefore : now };
}

/** Holds what fits and refuses the rest, under the lock of all slots (slot-store.ts, S1). */
async function place(wishes: readonly Wish[], work: Work): Promise<ReadonlyMap<Wish, Vote>> {
  if (wishes.length === 0) return new Map();
  await work.lock(SLOTS_LOCK);
  const regions = [...new Set(wishes.map(({ region }) => region))];
  const slots = allocate(wishes, await openSlots(work, regions, work.now));
  const placed = wishes.map((wish, index) => ({ wish, slot: slots[index] }));
  await hold(
    work,
    placed.flatMap(({ wish: { ask }, slot }) => (slot ? [holdOf(ask, slot)] : [])),
  );
  const without = placed.filter(({ slot }) => !slot).map(({ wish }) => wish.region);
  const last = without.length === 0 ? new Map<string, Date>() : await lastStarts(work, [...new Set(without)]);
  return new Map(
    placed.map(({ wish, slot }) => [wish, slot ? yes(slot) : no(noSlot(wish, last.get(wish.region)))]),
  );
}

function holdOf({ sagaId, branch, input }: Asked, slot: FreeSlot) {
  const { addressRef, parcels, contents } = input;
  return { ask: { sagaId, branch }, slotId: slot.id, addressRef, parcels, contents };
}

function yes({ id, startsAt, endsAt }: FreeSlot): Vote {
  const reply: HeldSlot = {
    slotId: id,
    startsAt: startsAt.toISOString(),
    endsAt: endsAt.toISOString(),
  };
  return prepared(reply);
}

function no({ code, reason }: Refusal): Vote {
  return refused(code, reason);
}
