/** The sagas of the campaign: one coordinator and its participants, each with a database of its own. */
import { defineBranch, type BranchType } from '@aura/contracts';
import type { Work } from '@aura/eventing';
import { saga, type BegunSaga, type Saga } from '@aura/saga';
import { PaymentHold } from '@aura/schemas';

export interface Wanted {
  readonly what: string;
}

export interface Order {
  readonly sku: string;
  /** The buyer's own; a purchase is known by it. */
  readonly reference: string;
  /** Where it is paid by card. */
  readonly methodRef: string;
}

/** The contract of payments says that only this one may ask for money. */
export const COORDINATOR = 'checkout';
/** Written for the campaign; `tailor` takes its time. */
export const OWN_PARTICIPANTS = ['stock', 'money', 'slots', 'tailor'] as const;
export type OwnName = (typeof OWN_PARTICIPANTS)[number];
/** With the real payments, whose provider is outside, and moody. */
export const PARTICIPANTS = [...OWN_PARTICIPANTS, 'payments'] as const;
export type ParticipantName = (typeof PARTICIPANTS)[number];
export const SERVICES = [COORDINATOR, ...PARTICIPANTS] as const;

export const HOLDS: Readonly<Record<OwnName, BranchType<Wanted>>> = {
  stock: holdOf('stock'),
  money: holdOf('money'),
  slots: holdOf('slots'),
  tailor: holdOf('tailor'),
};

const PRICE_CENTS = 1_999;
/** Longer than a killed service needs to come back, so that kills do not abort everything. */
const PATIENT_MS = 45_000;
/** What the tailor has for a purchase. */
const TAILORED_MS = 4_000;

const goods = (type: string): Saga<Order> =>
  saga<Order>(type, 1)
    .branch('stock', HOLDS.stock, ({ sku }) => ({ what: sku }))
    .branch('slots', HOLDS.slots, () => ({ what: 'monday' }));
const paidInCash = (type: string): Saga<Order> =>
  goods(type).branch('money', HOLDS.money, ({ sku }) => ({ what: sku }));

export const PURCHASE = paidInCash('purchase').within({ prepareMs: PATIENT_MS }).begun(keep);
/** Participants are too slow for it, whatever they do. */
export const HASTY_PURCHASE = paidInCash('hasty-purchase').within({ prepareMs: 15 }).begun(keep);
export const TAILORED_PURCHASE = paidInCash('tailored-purchase')
  .branch('tailor', HOLDS.tailor, () => ({ what: 'monday' }))
  .within({ prepareMs: TAILORED_MS })
  .begun(keep);
export const CARD_PURCHASE = goods('card-purchase')
  .branch('payment', PaymentHold, ({ methodRef }) => ({
    amountCents: BigInt(PRICE_CENTS),
    currency: 'EUR',
    methodRef,
  }))
  .within({ prepareMs: PATIENT_MS })
  .begun(keep);

export const SAGAS: readonly Saga<Order>[] = [PURCHASE, HASTY_PURCHASE, TAILORED_PURCHASE, CARD_PURCHASE];

/** The services that a saga of this type asks. */
export function askedBy(type: string): ReadonlySet<string> {
  const definition = SAGAS.find((one) => one.type === type);
  return new Set(definition?.branches.map((branch) => branch.type.service));
}

/** The shop's own row, in the transaction of the start. */
export async function keep(begun: readonly BegunSaga<Order>[], work: Work): Promise<void> {
  await work.manager.query('insert into purchase select * from unnest($1::uuid[], $2::text[])', [
    begun.map(({ id }) => id),
    begun.map(({ input }) => input.reference),
  ]);
}

function holdOf(service: string): BranchType<Wanted> {
  return defineBranch<Wanted>({
    service,
    kind: 'reservable',
    coordinators: [COORDINATOR],
    version: 1,
    schema: {
      type: 'record',
      name: 'Hold',
      namespace: service,
      doc: 'A branch of the campaign.',
      fields: [{ name: 'what', type: 'string' }],
    },
  });
}
