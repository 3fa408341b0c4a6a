import { randomUUID } from 'node:crypto';
import type { Ask, OutsideCall } from '@aura/saga';
import type { PaymentHold } from '@aura/schemas';
import { settled } from '@aura/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PaymentParticipant } from '../src/payment.participant.js';
import { TOKEN_NAMES, type Token } from '../src/simulator/behaviour.js';
import { accepted, askFor, gate, outside, paymentsFixture, type Fixture } from './payments-service.js';

let payments: Fixture;
let participant: PaymentParticipant;
let methods: Record<Token, string>;
beforeAll(async () => {
  payments = await paymentsFixture();
  participant = payments.participant(payments.provider({ slowMs: 10 }));
  const refs = TOKEN_NAMES.map(async (token) => [token, await payments.method(token)] as const);
  methods = Object.fromEntries(await Promise.all(refs)) as Record<Token, string>;
});
afterAll(() => payments.close());

/** A participant that waits briefly, and its provider, whose late work waits for a gate. */
function impatient(retries = 0): { hasty: PaymentParticipant; arrive: () => Promise<void> } {
  const { late, open } = gate();
  const provider = payments.provider({ slowMs: 10, late });
  const arrive = async (): Promise<void> => {
    open();
    await provider.idle();
  };
  return { hasty: payments.participant(provider, { timeoutMs: 100, retries }), arrive };
}

async function hold(token: Token = 'tok-ok'): Promise<{ ask: Ask<PaymentHold>; call: OutsideCall }> {
  const [ask, call] = [askFor(methods[token]), outside()];
  const answer = accepted(await participant.call(ask, call));
  const vote = await payments.run((work) => participant.prepare(ask, answer, work));
  expect(vote).toEqual({ prepared: true, reply: { authorisation: expect.stringMatching(/^auth-/) } });
  return { ask, call };
}

const kinds = async (sagaId: string): Promise<string> => {
  const { rows } = await payments.db.query<{ kind: string }>(
    'select kind from ledger_entry where saga_id = $1 order by posted_at, kind',
    [sagaId],
  );
  return rows.map(({ kind }) => kind).join(', ');
};

const atProvider = async ({ idempotencyKey }: OutsideCall): Promise<unknown[]> =>
  (await payments.db.query('select state from provider.payment where reference = $1', [idempotencyKey])).rows;

describe('refusals', () => {
  it.each([
    ['nothing', { amountCents: 0n }, 'amount-not-positive'],
    ['less than nothing', { amountCents: -1n }, 'amount-not-positive'],
    ['more than 10 million euro', { amountCents: 1_000_000_001n }, 'amount-too-large'],
    ['another currency', { currency: 'USD' }, 'currency-not-supported'],
    ['an unknown method', { methodRef: randomUUID() }, 'payment-method-unknown'],
    ['no reference at all', { methodRef: "'; drop table payment" }, 'payment-method-unknown'],
  ])('%s', async (_, input, code) => {
    const before = await payments.books();
    const answer = await participant.call(askFor(methods['tok-ok'], input), outside());
    expect(answer).toEqual({ accepted: false, code, reason: expect.stringMatching(/^[a-z].{20,}/) });
    expect(await payments.books()).toEqual(before);
  });

  it('a declined card', async () => {
    const [ask, call] = [askFor(methods['tok-declined']), outside()];
    const refusal = { accepted: false, code: 'card-declined', reason: expect.any(String) };
    expect(await participant.call(ask, call)).toEqual(refusal);
    expect(await participant.lookUp(ask, call)).toEqual(refusal);
  });

  it('a deadline that has passed: the provider holds nothing any more', async () => {
    const [ask, call] = [askFor(methods['tok-ok'], {}, -1), outside()];
    expect(await participant.call(ask, call)).toMatchObject({ accepted: false, code: 'too-late' });
    expect(await participant.lookUp(ask, call)).toBeUndefined();
  });

  it('never for a provider that is away: an earlier try may still be on its way', async () => {
    const provider = payments.provider({ outages: { everyMs: 1_000, forMs: 1_000 } });
    const away = payments.participant(provider);
    const [ask, call] = [askFor(methods['tok-ok']), outside()];
    const asked = [away.call(ask, call), away.lookUp(ask, call), away.release(ask, call)];
    const transient = { status: 'rejected', reason: { kind: 'transient' } };
    expect(await Promise.allSettled(asked)).toMatchObject([transient, transient, transient]);
  });
});

describe('a payment', () => {
  it('is held and taken: in the ledger at once, at the provider by a task', async () => {
    const { ask } = await hold();
    expect(await kinds(ask.sagaId)).toBe('authorised');
    await payments.run((work) => participant.commit(ask, work));
    await settled('captured', async () => (await kinds(ask.sagaId)) === 'authorised, captured, collected');
  });

  it('is held and given back: in the ledger by cancel, at the provider by release', async () => {
    const { ask, call } = await hold();
    const before = await payments.books();
    await payments.run((work) => participant.cancel(ask, work));
    await participant.release(ask, call);
    await participant.release(ask, call);
    expect(await kinds(ask.sagaId)).toBe('authorised, cancelled');
    const { voided_cents, open_cents } = await payments.books();
    expect([voided_cents, open_cents]).toEqual([
      (before['voided_cents'] ?? 0) + 4_990,
      (before['open_cents'] ?? 0) - 4_990,
    ]);
  });

  it('whose unit is rolled back leaves the provider as it was and the ledger empty', async () => {
    const [ask, call] = [askFor(methods['tok-ok']), outside()];
    const answer = accepted(await participant.call(ask, call));
    const rolledBack = payments.run(async (work) => {
      await participant.prepare(ask, answer, work);
      throw new Error('no');
    });
    await expect(rolledBack).rejects.toThrow('no');
    expect([await kinds(ask.sagaId), await participant.lookUp(ask, call)]).toEqual(['', answer]);
  });

  it('is taken in sets: one statement, and one task for a hundred payments', async () => {
    const held = await Promise.all(
      Array.from({ length: 150 }, async () => {
        const [ask, call] = [askFor(methods['tok-ok']), outside()];
        return { ask, answer: accepted(await participant.call(ask, call)) };
      }),
    );
    const asks = held.map(({ ask }) => ask);
    const statements: string[] = [];
    const scheduled: number[] = [];
    await payments.run(async (plain) => {
      const work = {
        ...plain,
        run: ((statement, values) => (
          statements.push(statement.name),
          plain.run(statement, values)
        )) as typeof plain.run,
        of: () => ({
          ...plain,
          schedule: (task: Parameters<typeof plain.schedule>[0]) => {
            scheduled.push((task.payload as { payments: unknown[] }).payments.length);
            return plain.schedule(task);
          },
        }),
      };
      const votes = await participant.prepareAll(held, work);
      expect(votes.filter((vote) => vote.prepared)).toHaveLength(150);
      await participant.commitAll(asks.slice(0, 130), work);
      await participant.cancelAll(asks.slice(130), work);
    });
    expect([statements, scheduled]).toEqual([
      ['ledger_authorised', 'ledger_captured', 'ledger_cancelled'],
      [100, 30],
    ]);
    const ids = asks.map(({ sagaId }) => sagaId);
    await settled('collected', async () => {
      const { rows } = await payments.db.query<{ n: number }>(
        "select count(*)::int as n from ledger_entry where kind = 'collected' and saga_id = any($1::uuid[])",
        [ids],
      );
      return rows[0]?.n === 130;
    });
  });
});

describe('what the provider did is unknown', () => {
  it.each(['tok-timeout-after', 'tok-timeout-before', 'tok-twice'] as const)(
    '%s: one more try tells',
    async (token) => {
      const { hasty } = impatient(1);
      const [ask, call] = [askFor(methods[token]), outside()];
      const before = await payments.books();
      const answer = await hasty
        .call(ask, call)
        .catch(() => settled('looked up', () => hasty.lookUp(ask, call)));
      accepted(answer);
      expect((await payments.books())['open_cents']).toBe((before['open_cents'] ?? 0) + 4_990);
    },
  );

  it('its answer was lost: a look-up has it', async () => {
    const { hasty } = impatient();
    const [ask, call] = [askFor(methods['tok-timeout-after']), outside()];
    await expect(hasty.call(ask, call)).rejects.toThrow('did not answer');
    accepted(await hasty.lookUp(ask, call));
  });

  it('H16: a request under way is one payment, however often repeated, and voided once known', async () => {
    const { hasty, arrive } = impatient();
    const [ask, call] = [askFor(methods['tok-late']), outside()];
    for (const asked of [1, 2])
      await expect(hasty.call(ask, call), `${asked}`).rejects.toThrow('did not answer');
    expect(await hasty.lookUp(ask, call)).toBeUndefined();
    const again = accepted(await hasty.call(ask, call));
    await arrive();
    expect(await hasty.lookUp(ask, call)).toEqual(again);
    await settled('released', () => hasty.release(ask, call).then(() => true));
    expect(await atProvider(call)).toEqual([{ state: 'voided' }]);
    expect((await payments.books())['overtaken']).toBe(0);
  });

  it('H16: nothing that is under way is executed after the deadline', async () => {
    const { hasty, arrive } = impatient();
    const [ask, call] = [askFor(methods['tok-late'], {}, 200), outside()];
    await expect(hasty.call(ask, call)).rejects.toThrow('did not answer');
    await settled('the deadline has passed', () => Date.now() > ask.deadline.getTime());
    await arrive();
    expect([await hasty.lookUp(ask, call), await atProvider(call)]).toEqual([undefined, []]);
  });

  it('H16: a release that comes first all the same is tried again until it finds something', async () => {
    const { hasty } = impatient();
    const [ask, call] = [askFor(methods['tok-ok']), outside()];
    await expect(hasty.release(ask, call)).rejects.toThrow("can't be voided yet");
    accepted(await hasty.call(ask, call));
    await hasty.release(ask, call);
    await payments.db.query('delete from provider.overtaken where reference = $1', [call.idempotencyKey]);
    expect((await hasty.lookUp(ask, call))?.accepted).toBe(true);
  });
});
