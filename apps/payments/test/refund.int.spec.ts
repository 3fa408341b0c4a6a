import { randomUUID } from 'node:crypto';
import type { Ask } from '@aura/saga';
import type { Refund } from '@aura/schemas';
import { seeded, settled } from '@aura/testing';
import { EntityManager } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { refunded, type NewRefund } from '../src/ledger/refunds.js';
import type { PaymentParticipant } from '../src/payment.participant.js';
import { GuardedProvider } from '../src/provider/guarded-provider.js';
import { RefundParticipant } from '../src/refund.participant.js';
import type { Token } from '../src/simulator/behaviour.js';
import type { SimulatedProvider, SimulatorOptions } from '../src/simulator/simulated-provider.js';
import { accepted, askFor, outside, paymentsFixture, type Fixture } from './payments-service.js';

let payments: Fixture;
let payment: PaymentParticipant;
let provider: SimulatedProvider;
let refunds: RefundParticipant;
beforeAll(async () => {
  payments = await paymentsFixture();
  provider = payments.provider({ slowMs: 10 });
  payment = payments.participant(provider);
  refunds = refundsOver(provider);
});
afterAll(() => payments.close());

function refundsOver(of: SimulatedProvider, timeoutMs = 2_000): RefundParticipant {
  const guarded = new GuardedProvider(of, { timeoutMs, retries: 0 });
  return new RefundParticipant(payments.service.app.get(EntityManager), guarded);
}

/** A purchase of 49.90 EUR whose money is ours. */
async function paid(token: Token = 'tok-ok', isCollected = true): Promise<string> {
  const [ask, call] = [askFor(await payments.method(token)), outside()];
  const answer = await payment.call(ask, call).catch(() => settled('held', () => payment.lookUp(ask, call)));
  await payments.run((work) => payment.prepare(ask, accepted(answer), work));
  if (!isCollected) return ask.sagaId;
  await payments.run((work) => payment.commit(ask, work));
  await settled('collected', async () => (await kinds(ask.sagaId)).includes('collected'));
  return ask.sagaId;
}

const kinds = async (sagaId: string): Promise<string[]> => {
  const sql = 'select kind from ledger_entry where saga_id = $1 order by posted_at, part, kind';
  return (await payments.db.query<{ kind: string }>(sql, [sagaId])).rows.map(({ kind }) => kind);
};

function refundOf(purchaseId: string, amountCents = 4_990n, withinMs = 60_000): Ask<Refund> {
  return {
    sagaId: randomUUID(),
    branch: 'refund',
    coordinator: 'delivery',
    input: { purchaseId, amountCents, currency: 'EUR' },
    deadline: new Date(Date.now() + withinMs),
  };
}

/** As the machinery of sagas does it: called, then written down. */
async function refund(ask: Ask<Refund>, call = outside()): Promise<string> {
  const answer = await refunds.call(ask, call);
  if (!answer.accepted) return answer.code;
  const vote = await payments.run((work) => refunds.prepare(ask, answer, work));
  return vote.prepared ? 'refunded' : vote.code;
}

/** What is not at the holders' is held or taken at the provider, and has not gone back. */
async function expectAgreement(): Promise<void> {
  const {
    captured_cents: captured = 0,
    refunded_cents: back = 0,
    open_cents: open = 0,
  } = await payments.books();
  expect((await payments.balances())['cards']).toBe(0 - (captured + open - back));
}

describe('a refund', () => {
  it('is in parts, to the last cent, and no further', async () => {
    const purchase = await paid();
    expect(await refund(refundOf(purchase, 1_000n))).toBe('refunded');
    expect(await refund(refundOf(purchase, 1_000n))).toBe('refunded');
    const last = refundOf(purchase, 2_990n);
    const answer = accepted(await refunds.call(last, outside()));
    const vote = await payments.run((work) => refunds.prepare(last, answer, work));
    const reply = { refund: expect.stringMatching(/^refund-/), amountCents: 2_990, currency: 'EUR' };
    expect(vote).toEqual({ prepared: true, reply });
    expect(await refunds.call(refundOf(purchase, 1n), outside())).toEqual({
      accepted: false,
      code: 'more-than-is-left',
      reason:
        "49.90 EUR were paid for this purchase, and 49.90 EUR went back before: 0.01 EUR can't be paid back",
    });
    expect((await kinds(purchase)).filter((kind) => kind === 'refunded')).toHaveLength(3);
    await expectAgreement();
  });

  it('is refused where nothing was paid, or the money has not arrived; nobody is asked then', async () => {
    const held = await paid('tok-ok', false);
    const faults = (await payments.books())['faults'];
    expect(await refund(refundOf(randomUUID()))).toBe('unknown-purchase');
    expect(await refund(refundOf(held))).toBe('unknown-purchase');
    const captured = await paid('tok-ok', false);
    await payments.db.query(
      `insert into ledger_entry (saga_id, branch, kind, debit, credit, amount_cents, currency, posted_at)
       values ($1, 'payment', 'captured', 'due', 'held', 4990, 'EUR', now())`,
      [captured],
    );
    expect(await refund(refundOf(captured))).toBe('not-captured');
    expect((await payments.books())['faults']).toBe(faults);
  });

  it('that the card’s bank declines is refused, and nothing moves', async () => {
    const purchase = await paid('tok-refund-declined');
    const [ask, call] = [refundOf(purchase), outside()];
    const declined = {
      accepted: false,
      code: 'refund-declined',
      reason: 'the refund was declined by the bank of the card',
    };
    expect([await refunds.call(ask, call), await refunds.lookUp(ask, call)]).toEqual([declined, declined]);
    expect(await kinds(purchase)).not.toContain('refunded');
  });

  it.each(['tok-timeout-after', 'tok-timeout-before', 'tok-twice', 'tok-slow'] as const)(
    'to %s, however often it is tried, is one refund',
    async (token) => {
      const purchase = await paid(token);
      const hasty = refundsOver(provider, 150);
      const [ask, call] = [refundOf(purchase, 500n), outside()];
      const before = (await payments.books())['refunded_cents'] ?? 0;
      const again = async () => (await hasty.lookUp(ask, call)) ?? hasty.call(ask, call);
      const answer = await hasty.call(ask, call).catch(() => settled('known', () => again()));
      expect(await again()).toEqual(accepted(answer));
      expect((await payments.books())['refunded_cents']).toBe(before + 500);
      await payments.run((work) => hasty.prepare(ask, accepted(answer), work));
      expect(await kinds(purchase)).toContain('refunded');
    },
  );

  it('is not known while the provider is away: neither a yes nor a no', async () => {
    const purchase = await paid();
    const away: Partial<SimulatorOptions> = { outages: { everyMs: 1_000, forMs: 1_000 } };
    const none = refundsOver(payments.provider(away));
    const [ask, call] = [refundOf(purchase), outside()];
    const transient = { status: 'rejected', reason: { kind: 'transient' } };
    const asked = [none.call(ask, call), none.lookUp(ask, call)];
    expect(await Promise.allSettled(asked)).toMatchObject([transient, transient]);
  });

  it('is not executed after its deadline', async () => {
    const purchase = await paid();
    expect(await refund(refundOf(purchase, 100n, -1))).toBe('too-late');
    expect(await kinds(purchase)).not.toContain('refunded');
  });

  it('is never taken back', async () => {
    const ask = refundOf(await paid());
    await expect(refunds.cancel(ask)).rejects.toThrow("can't be taken back");
    await expect(refunds.release(ask)).rejects.toThrow("can't be taken back");
  });

  it('of many at once for the same money as many are made as it lasts', async () => {
    const purchase = await paid();
    const outcomes = await Promise.all(Array.from({ length: 9 }, () => refund(refundOf(purchase, 1_000n))));
    expect(outcomes.filter((outcome) => outcome === 'refunded')).toHaveLength(4);
    expect(outcomes.filter((outcome) => outcome === 'more-than-is-left')).toHaveLength(5);
    await expectAgreement();
  });
});

/** One row of `refund` as it is asked for; whether the database takes it. */
async function counts(purchase: string, part: number, before: number, cents: number, captured: number) {
  const sql = `insert into refund (saga_id, branch, coordinator, payment_saga_id, payment_branch, part,
      before_cents, amount_cents, captured_cents, reference, provider_refund)
    values (gen_random_uuid(), 'refund', 'delivery', $1, 'payment', $2, $3, $4, $5, 'r', 'p')`;
  return taken(sql, [purchase, part, before, cents, captured]);
}

async function posts(purchase: string, part: number, cents: number): Promise<boolean> {
  const sql = `insert into ledger_entry
      (saga_id, branch, kind, debit, credit, part, amount_cents, currency, posted_at)
    values ($1, 'payment', 'refunded', 'cards', 'receivable', $2, $3, 'EUR', now())`;
  return taken(sql, [purchase, part, cents]);
}

function taken(sql: string, values: unknown[]): Promise<boolean> {
  return payments.db.query(sql, values).then(
    () => true,
    (error: { code?: string }) => {
      if (!error.code?.startsWith('23')) throw error;
      return false;
    },
  );
}

describe('the ledger of refunds', () => {
  it('L5: takes exactly the parts that follow each other, up to what was captured', async () => {
    const random = seeded('refunds');
    const purchases = await Promise.all([paid(), paid(), paid()]);
    const models = purchases.map((purchase) => ({
      purchase,
      parts: [] as number[],
      posted: new Set<number>(),
    }));
    let refused = 0;
    for (let n = 0; n < 400; n++) {
      const { purchase, parts, posted } = random.pick(models);
      const sum = parts.reduce((all, cents) => all + cents, 0);
      if (random.chance(0.5)) {
        const part = random.chance(0.8) ? parts.length + 1 : 1 + random.int(4);
        const before = random.chance(0.8) ? sum : random.int(3) * 500;
        const cents = random.chance(0.7) ? 1 + random.int(900) : random.int(5_200) - 100;
        const captured = random.chance(0.9) ? 4_990 : 9_990;
        const allowed =
          part === parts.length + 1 &&
          before === sum &&
          cents > 0 &&
          sum + cents <= 4_990 &&
          captured === 4_990;
        const was = await counts(purchase, part, before, cents, captured);
        expect([part, before, cents, captured, was]).toEqual([part, before, cents, captured, allowed]);
        if (was) parts.push(cents);
        else refused++;
      } else {
        const part = 1 + random.int(parts.length + 2);
        const cents = random.chance(0.7) ? (parts[part - 1] ?? 100) : 1 + random.int(900);
        const allowed = parts[part - 1] === cents && !posted.has(part);
        expect([part, cents, await posts(purchase, part, cents)]).toEqual([part, cents, allowed]);
        if (allowed) posted.add(part);
        else refused++;
      }
    }
    const all = models.flatMap(({ posted }) => [...posted]);
    expect(Math.min(refused, all.length)).toBeGreaterThan(5); // or nothing was tried
    expect(Object.values(await payments.balances()).reduce((sum, cents) => sum + cents, 0)).toBe(0);
  });

  it('L5: a first part begins at 0, is more than 0, and no part comes twice', async () => {
    const purchase = await paid();
    expect([await counts(purchase, 1, 500, 100, 4_990), await counts(purchase, 1, -500, 100, 4_990)]).toEqual(
      [false, false],
    );
    expect([await counts(purchase, 1, 0, 0, 4_990), await counts(purchase, 1, 0, -1, 4_990)]).toEqual([
      false,
      false,
    ]);
    expect(await counts(purchase, 1, 0, 100, 4_990)).toBe(true);
    expect(await counts(purchase, 2, 100, 200, 4_990)).toBe(true);
    expect([await counts(purchase, 1, 0, 300, 4_990), await counts(purchase, 2, 100, 300, 4_990)]).toEqual([
      false,
      false,
    ]);
  });

  it('L5: only a refund is a part, and no refund is none', async () => {
    const purchase = await paid();
    await counts(purchase, 1, 0, 4_990, 4_990);
    expect(await posts(purchase, 0, 4_990)).toBe(false); // a refund that nobody counts
    const outOfNothing = `insert into ledger_entry
        (saga_id, branch, kind, debit, credit, part, amount_cents, currency, posted_at)
      values ($1, 'payment', 'collected', 'receivable', 'due', 1, 100, 'EUR', now())`;
    expect(await taken(outOfNothing, [purchase])).toBe(false);
  });

  it('L5: of a purchase of which nothing was captured nothing is counted', async () => {
    const held = await paid('tok-ok', false);
    expect(await counts(held, 1, 0, 100, 4_990)).toBe(false);
    const made = { sagaId: randomUUID(), branch: 'refund', coordinator: 'delivery', purchaseId: held };
    const unfounded: NewRefund = {
      ...made,
      amountCents: 1n,
      authorisation: 'a',
      reference: 'r',
      providerRefund: 'p',
    };
    await expect(payments.run((work) => refunded(work, unfounded))).rejects.toThrow(
      'no money that could go back',
    );
  });

  it('L5: of two refunds that are written at once one waits for the other, and both are', async () => {
    const purchase = await paid();
    const { rows } = await payments.db.query<{ authorisation: string }>(
      'select authorisation from payment where saga_id = $1',
      [purchase],
    );
    const made = (reference: string): NewRefund => ({
      sagaId: randomUUID(),
      branch: 'refund',
      coordinator: 'delivery',
      purchaseId: purchase,
      amountCents: 100n,
      authorisation: rows[0]?.authorisation ?? '',
      reference,
      providerRefund: reference,
    });
    const [written, opened] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const first = payments.run(async (work) => {
      await refunded(work, made('first'));
      written.resolve();
      await opened.promise;
    });
    await written.promise;
    const second = payments.run((work) => refunded(work, made('second')));
    await settled('the second one waits', async () => {
      const waiting = `select 1 from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`;
      return (await payments.db.query(waiting)).rows.length > 0;
    });
    opened.resolve();
    await Promise.all([first, second]);
    expect((await kinds(purchase)).filter((kind) => kind === 'refunded')).toHaveLength(2);
  });

  it('L2: refund is append-only', async () => {
    for (const sql of ['update refund set branch = branch', 'delete from refund', 'truncate refund cascade'])
      await expect(payments.db.query(sql)).rejects.toThrow('append-only');
  });
});
