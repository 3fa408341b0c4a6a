import { randomUUID } from 'node:crypto';
import { seeded, type Seeded } from '@aura/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Client } from 'pg';
import * as ledger from '../src/ledger/ledger.js';
import { paymentsFixture, type Fixture } from './payments-service.js';

let payments: Fixture;
beforeAll(async () => {
  payments = await paymentsFixture();
});
afterAll(() => payments.close());

const ENTRIES = {
  authorised: { credit: 'cards', debit: 'held' },
  cancelled: { credit: 'held', debit: 'cards' },
  captured: { credit: 'held', debit: 'due' },
  collected: { credit: 'due', debit: 'receivable' },
} as const;
type Kind = keyof typeof ENTRIES;
const KINDS = Object.keys(ENTRIES) as Kind[];

/** What one payment has in each account: the model that the table's constraints are compared with. */
interface Model {
  readonly sagaId: string;
  amount: number;
  where: string;
}

const INSERT = `insert into ledger_entry
  (saga_id, branch, kind, debit, credit, amount_cents, currency, posted_at)
  values ($1, 'payment', $2, $3, $4, $5, $6, now())`;

async function posts(
  db: Client,
  sagaId: string,
  kind: Kind,
  amount: number,
  currency = 'EUR',
): Promise<boolean> {
  const { debit, credit } = ENTRIES[kind];
  return await db.query(INSERT, [sagaId, kind, debit, credit, amount, currency]).then(
    () => true,
    (error: { code?: string }) => {
      if (!error.code?.startsWith('23')) throw error;
      return false;
    },
  );
}

/** One random entry, right or wrong: posted where the model allows it. */
async function step(random: Seeded, model: Model): Promise<void> {
  const kind = random.pick(KINDS);
  const amount = random.chance(0.9) ? model.amount : random.int(3) * 100 - 100;
  const currency = random.chance(0.95) ? 'EUR' : 'USD';
  const { credit, debit } = ENTRIES[kind];
  const opens = credit === 'cards';
  const allowed =
    model.where === credit && currency === 'EUR' && (opens ? amount > 0 : amount === model.amount);
  const posted = await posts(payments.db, model.sagaId, kind, amount, currency);
  expect([kind, model.where, amount, currency, posted]).toEqual([
    kind,
    model.where,
    amount,
    currency,
    allowed,
  ]);
  if (!posted) return;
  if (opens) model.amount = amount;
  model.where = debit === 'cards' ? 'over' : debit;
}

describe('the ledger', () => {
  it('L1, L3, L4: takes exactly the histories that the model allows, and always balances', async () => {
    const random = seeded('ledger');
    const before = await payments.balances();
    const models = Array.from({ length: 60 }, (): Model => {
      return { sagaId: randomUUID(), amount: 1 + random.int(100_000), where: 'cards' };
    });
    for (let n = 0; n < 1_200; n++) await step(random, random.pick(models));
    const expected: Record<string, number> = { ...before };
    for (const { where, amount } of models) {
      if (where === 'cards' || where === 'over') continue;
      expected[where] = (expected[where] ?? 0) + amount;
      expected['cards'] = (expected['cards'] ?? 0) - amount;
    }
    expect(await payments.balances()).toEqual(expected);
    expect(new Set(models.map(({ where }) => where)).size).toBeGreaterThan(2);
    expect(Object.values(await payments.balances()).reduce((sum, cents) => sum + cents, 0)).toBe(0);
  });

  it('L4: an entry of a kind moves money between the accounts of that kind only', async () => {
    const accounts = ['cards', 'held', 'due', 'receivable'];
    const pairs = accounts.flatMap((debit) => accounts.map((credit) => ({ debit, credit })));
    const accepted: string[] = [];
    for (const kind of KINDS)
      for (const { debit, credit } of pairs) {
        const sagaId = randomUUID();
        if (credit !== 'cards') await posts(payments.db, sagaId, 'authorised', 500);
        if (credit === 'due' || credit === 'receivable') await posts(payments.db, sagaId, 'captured', 500);
        if (credit === 'receivable') await posts(payments.db, sagaId, 'collected', 500);
        const posted = payments.db.query(INSERT, [sagaId, kind, debit, credit, 500, 'EUR']);
        if (await posted.catch(() => false)) accepted.push(`${kind}: ${credit} -> ${debit}`);
      }
    expect(accepted).toEqual(
      KINDS.map((kind) => `${kind}: ${ENTRIES[kind].credit} -> ${ENTRIES[kind].debit}`),
    );
  });

  it('L3: of a capture and a cancel at the same moment one is posted', async () => {
    const [one, other] = [await payments.connect(), await payments.connect()];
    for (let n = 0; n < 20; n++) {
      const sagaId = randomUUID();
      await posts(payments.db, sagaId, 'authorised', 500);
      const posted = await Promise.all([
        posts(one, sagaId, 'captured', 500),
        posts(other, sagaId, 'cancelled', 500),
      ]);
      expect(posted.filter(Boolean)).toHaveLength(1);
    }
  });

  it.each(['ledger_entry', 'payment', 'payment_method'])('L2: %s is append-only', async (table) => {
    const column = table === 'payment_method' ? 'token' : 'branch';
    for (const sql of [
      `update ${table} set ${column} = ${column}`,
      `delete from ${table}`,
      `truncate ${table} cascade`,
    ])
      await expect(payments.db.query(sql)).rejects.toThrow('append-only');
  });

  it('posts all payments of a unit, or none where one of them is not so far', async () => {
    const keys = Array.from({ length: 5 }, () => ({ sagaId: randomUUID(), branch: 'payment' }));
    await payments.run((work) => ledger.authorised(work, keys.map(newPayment)));
    const before = await payments.balances();
    const stranger = { sagaId: randomUUID(), branch: 'payment' };
    const wrong = payments.run((work) => ledger.captured(work, [...keys, stranger]));
    await expect(wrong).rejects.toThrow(`payment of saga ${stranger.sagaId} has no money`);
    expect(await payments.balances()).toEqual(before);
    const captured = await payments.run((work) => ledger.captured(work, keys));
    expect(captured.map(({ authorisation }) => authorisation)).toEqual(keys.map(() => 'auth-1'));
    await expect(payments.run((work) => ledger.cancelled(work, keys))).rejects.toThrow();
    const after = await payments.balances();
    expect([after['held'], after['due']]).toEqual([(before['held'] ?? 0) - 500, (before['due'] ?? 0) + 500]);
  });
});

function newPayment(key: ledger.PaymentKey): ledger.NewPayment {
  const methodRef = randomUUID();
  return {
    ...key,
    coordinator: 'checkout',
    methodRef,
    reference: 'r',
    authorisation: 'auth-1',
    amountCents: 100n,
  };
}
