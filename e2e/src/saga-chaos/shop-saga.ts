/** The saga of the campaign: one coordinator, three participants, each with a database of its own. */
import { defineBranch, type BranchType } from '@aura/contracts';
import { saga, type Saga } from '@aura/saga';

export interface Wanted {
  readonly what: string;
}

export interface Order {
  readonly sku: string;
}

export const COORDINATOR = 'shop';
export const PARTICIPANTS = ['stock', 'money', 'slots'] as const;
export type ParticipantName = (typeof PARTICIPANTS)[number];

export const HOLDS: Readonly<Record<ParticipantName, BranchType<Wanted>>> = {
  stock: holdOf('stock'),
  money: holdOf('money'),
  slots: holdOf('slots'),
};

/** Longer than a killed service needs to come back, so that kills do not abort everything. */
export const PURCHASE = purchase('purchase', 30_000);
/** Participants are too slow for it, whatever they do. */
export const HASTY_PURCHASE = purchase('hasty-purchase', 15);

function purchase(type: string, prepareMs: number): Saga<Order> {
  return saga<Order>(type, 1)
    .branch('stock', HOLDS.stock, ({ sku }) => ({ what: sku }))
    .branch('money', HOLDS.money, ({ sku }) => ({ what: sku }))
    .branch('slots', HOLDS.slots, () => ({ what: 'monday' }))
    .within({ prepareMs });
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
