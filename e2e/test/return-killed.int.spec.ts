/**
 * `kill -9` of each service in the middle of its part in a return, between its first statement and its
 * COMMIT: a lock of the table that it writes to holds it there. Then it is started again.
 */
import { settled } from '@aura/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FashionHouse, type HouseService } from '../src/fashion-house.js';
import { brokenLaws, ShopVisit } from '../src/shop-visit.js';

/** Who was killed is missed by the log after 10 to 15 s. */
const KILLED = { timeout: 120_000 };

let house: FashionHouse;
let visit: ShopVisit;
beforeAll(async () => {
  house = await FashionHouse.open({
    log: 'postgres',
    processes: true,
    settings: {
      checkout: { AURA_PURCHASE_WAIT_MS: '20000' },
      delivery: { AURA_RETURN_WAIT_MS: '100', AURA_RETURN_PREPARE_MS: '90000' },
    },
  });
  visit = await ShopVisit.of(house);
}, 120_000);
afterAll(() => house.close(), 60_000);

/** The provider has paid something back of which the ledger does not know. */
const PAID_UNWRITTEN = `
  select 1 from provider.refund made
   where not exists (select from refund where refund.reference = made.reference)`;

/** Runs `meanwhile` when `name` waits for a table; the lock is gone afterwards. */
async function heldAt(name: HouseService, table: string, meanwhile: () => Promise<void>): Promise<void> {
  const door = await house.client(name);
  await door.query('begin');
  await door.query(`lock table ${table} in share mode`);
  try {
    await settled(
      `${name} waits for ${table}`,
      async () => {
        const rows = await house.rows(
          name,
          `select 1 from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock'`,
        );
        return rows.length > 0;
      },
      { withinMs: 60_000 },
    );
    await meanwhile();
  } finally {
    await door.query('rollback');
  }
}

describe.skipIf(process.platform === 'win32')('a service that is killed in the middle of a return', () => {
  it.each([
    ['inventory', 'restock', 'while it takes the pieces back'],
    ['payments', 'refund', 'when the provider has paid back, before that is written down'],
    ['delivery', 'slot_booking', 'while it decides'],
    ['checkout', 'return_notice', 'while it tells the buyer'],
  ] as [HouseService, string, string][])('%s (at %s): %s', KILLED, async (victim, table) => {
    const piece = await visit.piece();
    const before = await visit.books(piece);
    const purchase = await visit.bought([piece]);
    let id = '';
    const door = victim === 'delivery' ? 'after the start' : 'before it';
    const start = async (): Promise<void> => {
      const { body } = await visit.giveBack(purchase, [piece]);
      id = String(body['id']);
    };
    if (door === 'after the start') {
      // The start books the pick-up in the same table: the door closes behind it, while payments is stopped.
      await house.stop('payments');
      await start();
    }
    const reached = heldAt(victim, table, async () => {
      if (victim === 'payments') expect(await house.rows(victim, PAID_UNWRITTEN)).toHaveLength(1);
      await house.kill(victim);
    });
    if (door === 'after the start') await house.start('payments');
    else await start();
    await reached;
    await house.start(victim);
    const shown = await visit.settled('delivery', `/returns/${id}`, 90_000);
    expect(shown).toMatchObject({ state: 'returned', pickUp: { state: 'booked' } });

    const after = await visit.books(piece);
    expect(after.stock).toEqual(before.stock);
    const back = (after.provider['refunded_cents'] ?? 0) - (before.provider['refunded_cents'] ?? 0);
    expect(back).toBe(shown['refundCents']);
    expect(brokenLaws(after)).toEqual([]);
    const { body } = await house.ask('checkout', 'GET', `/purchases/${purchase}`);
    expect(body['returns']).toHaveLength(1);
  });
});
