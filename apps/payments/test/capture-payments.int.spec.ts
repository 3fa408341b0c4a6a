import { TransientError } from '@aura/platform';
import type { Ask } from '@aura/saga';
import type { PaymentHold } from '@aura/schemas';
import { settled } from '@aura/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CAPTURE_PAYMENTS, CapturePaymentsTask, type CapturePayments } from '../src/capture-payments.task.js';
import type { CapturedPayment } from '../src/ledger/ledger.js';
import type { PaymentParticipant } from '../src/payment.participant.js';
import type { Token } from '../src/simulator/behaviour.js';
import { accepted, askFor, outside, paymentsFixture, type Fixture } from './payments-service.js';

let payments: Fixture;
let participant: PaymentParticipant;
beforeAll(async () => {
  // The service's own provider, which the task meets, forgets every key at once: the worst case.
  payments = await paymentsFixture({ AURA_PROVIDER_TIMEOUT_MS: '100', AURA_SIMULATOR_KEY_MEMORY_MS: '1' });
  participant = payments.participant(payments.provider({ slowMs: 1, late: () => Promise.resolve() }), {
    timeoutMs: 200,
  });
});
afterAll(() => payments.close());

/** Held at the provider and in the ledger, whatever the token does at first. */
async function held(token: Token): Promise<Ask<PaymentHold>> {
  const [ask, call] = [askFor(await payments.method(token)), outside()];
  const answer = await participant
    .call(ask, call)
    .catch(() => settled('looked up', () => participant.lookUp(ask, call)));
  await payments.run((work) => participant.prepare(ask, accepted(answer), work));
  return ask;
}

const rows = async (sql: string, values: unknown[]): Promise<unknown[]> =>
  (await payments.db.query(sql, values)).rows;
const collected = ({ sagaId }: Ask): Promise<unknown[]> =>
  rows("select amount_cents::int from ledger_entry where saga_id = $1 and kind = 'collected'", [sagaId]);
const tasks = (key: string): Promise<unknown[]> =>
  rows('select state, error from aura.task where kind = $2 and key = $1', [key, CAPTURE_PAYMENTS]);

function paymentOf({ sagaId }: Ask): Promise<CapturedPayment[]> {
  const sql = 'select saga_id as "sagaId", branch, reference, authorisation from payment where saga_id = $1';
  return rows(sql, [sagaId]) as Promise<CapturedPayment[]>;
}

describe('the capture of payments', () => {
  it.each(['tok-ok', 'tok-twice', 'tok-timeout-before', 'tok-timeout-after', 'tok-late'] as const)(
    '%s: is tried again until the provider has confirmed it, and is done and posted once',
    async (token) => {
      const ask = await held(token);
      await payments.run((work) => participant.commit(ask, work));
      await settled('collected', async () => (await collected(ask)).length === 1);
      await settled('ended', async () => (await tasks(ask.sagaId)).length === 0);
      expect(await collected(ask)).toEqual([{ amount_cents: 4_990 }]);
      const [{ reference }] = (await paymentOf(ask)) as [CapturedPayment];
      expect(await rows('select state from provider.payment where reference = $1', [reference])).toEqual([
        { state: 'captured' },
      ]);
    },
  );

  it('does not run for a commit that was rolled back', async () => {
    const ask = await held('tok-ok');
    const rolledBack = payments.run(async (work) => {
      await participant.commit(ask, work);
      throw new Error('no');
    });
    await expect(rolledBack).rejects.toThrow('no');
    expect([await tasks(ask.sagaId), await collected(ask)]).toEqual([[], []]);
  });

  it('one that is refused for good stays in sight, its money due; the others are taken', async () => {
    const asks = [await held('tok-ok'), await held('tok-ok'), await held('tok-ok')] as const;
    const [first, spoilt, last] = asks;
    const [{ reference }] = (await paymentOf(spoilt)) as [CapturedPayment];
    await participant.release(spoilt, { ...outside(), idempotencyKey: reference }); // behind our back
    await payments.run((work) => participant.commitAll(asks, { ...work, of: () => work }));
    const failed = await settled('failed', async () => {
      const [task] = await tasks(spoilt.sagaId);
      return (task as { state: string } | undefined)?.state === 'failed' && task;
    });
    expect(failed).toMatchObject({ error: { message: expect.stringContaining('holds nothing: voided') } });
    expect([await collected(first), await collected(spoilt), await collected(last)]).toEqual([
      [{ amount_cents: 4_990 }],
      [],
      [{ amount_cents: 4_990 }],
    ]);
    expect((await payments.balances())['due']).toBe(4_990);
  });

  it('waits as a whole while the provider is away', async () => {
    const away = new CapturePaymentsTask(payments.provider({ outages: { everyMs: 1_000, forMs: 1_000 } }));
    const payload: CapturePayments = {
      payments: [...(await paymentOf(await held('tok-ok'))), ...(await paymentOf(await held('tok-ok')))],
    };
    const task = { id: 'a', kind: CAPTURE_PAYMENTS, key: 'k', attempt: 1, payload };
    const run = away.run(
      { ...task, correlationId: undefined, causationId: undefined },
      new AbortController().signal,
    );
    await expect(run).rejects.toThrow(TransientError);
    await expect(run).rejects.toThrow('none of 2 payments');
  });
});
