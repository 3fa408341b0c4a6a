/** What the specs of a participant say and look at, on one depot. */
import { Depot } from './participant-depot.js';
import { Hold, Pack, Rent, Ship, type ParticipantFixture, type RaisedAnswer } from './participant-fixture.js';

export const stock = { branch: 'stock', type: Hold };
export const two = { ...stock, input: { sku: 'sku-1', pieces: 2 } };

/** One participant for the kinds that need nobody outside. */
export const entriesOf = (depot: Depot) =>
  [Hold, Rent, Pack, Ship].map((type) => ({ type, participant: depot }));

/** `REFUSED late`. */
export function short({ says, answer }: Pick<RaisedAnswer, 'says' | 'answer'>): string {
  return typeof answer['code'] === 'string' ? `${says} ${answer['code']}` : says;
}

/** What was answered since the last look. */
export async function said(service: ParticipantFixture): Promise<string[]> {
  return (await service.answers()).map(short);
}

/** Pieces of one SKU. */
export async function stockOf(service: ParticipantFixture, sku: string): Promise<unknown> {
  return (await service.rows('select free, held, sold from stock where sku = $1', [sku]))[0];
}

/** As at the start. */
export async function emptied(service: ParticipantFixture, ...depots: Depot[]): Promise<void> {
  for (const depot of depots) {
    depot.calls.length = 0;
    depot.faults.clear();
  }
  service.errors.length = 0;
  service.now = new Date();
  await service.pool.query(
    'truncate hold, aura.branch, aura.task; update stock set free = 10, held = 0, sold = 0',
  );
  await service.answers();
}
