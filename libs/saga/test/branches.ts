import { defineBranch, type BranchKind, type BranchType } from '@aura/contracts';

/** What every branch of the specs is asked. */
export interface Wanted {
  readonly what: string;
}

/** A branch type of a service of the specs' own, for sagas of `shop`. */
export function branchType(
  service: string,
  name: string,
  kind: BranchKind = 'reservable',
): BranchType<Wanted> {
  return defineBranch<Wanted>({
    service,
    kind,
    coordinators: ['shop'],
    version: 1,
    schema: {
      type: 'record',
      name,
      namespace: service,
      doc: 'A branch of the specs.',
      fields: [{ name: 'what', type: 'string' }],
    },
  });
}

export const StockHeld: BranchType<Wanted> = branchType('stock', 'StockHeld');
export const MoneyHeld: BranchType<Wanted> = branchType('money', 'MoneyHeld');
export const SlotHeld: BranchType<Wanted> = branchType('slots', 'SlotHeld');
export const Restocked: BranchType<Wanted> = branchType('stock', 'Restocked', 'compensatable');
export const Labelled: BranchType<Wanted> = branchType('slots', 'Labelled', 'compensatable');
export const Refunded: BranchType<Wanted> = branchType('money', 'Refunded', 'pivot');
export const Noticed: BranchType<Wanted> = branchType('notices', 'Noticed', 'retriable');
