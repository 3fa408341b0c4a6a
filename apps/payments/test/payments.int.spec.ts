import { randomUUID } from 'node:crypto';
import { settled } from '@aura/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { refunded } from '../src/ledger/refunds.js';
import type { PaymentParticipant } from '../src/payment.participant.js';
import { TOKEN_NAMES } from '../src/simulator/behaviour.js';
import { accepted, askFor, outside, paymentsFixture, type Fixture } from './payments-service.js';

let payments: Fixture;
let participant: PaymentParticipant;
beforeAll(async () => {
  payments = await paymentsFixture();
  participant = payments.participant(payments.provider());
});
afterAll(() => payments.close());

interface Answer {
  readonly status: number;
  readonly type: string | null;
  readonly body: Record<string, unknown>;
}

async function ask(path: string, body?: unknown): Promise<Answer> {
  const response = await fetch(payments.service.url + path, {
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
    headers: { 'content-type': 'application/json' },
  });
  const type = response.headers.get('content-type');
  return { status: response.status, type, body: (await response.json()) as Record<string, unknown> };
}

const CARD = { kind: 'card', token: 'tok-ok', holderRef: 'customer-42' };

describe('POST /payment-methods', () => {
  it.each(TOKEN_NAMES)('keeps a card with %s, and gives the reference to pay with', async (token) => {
    const { status, body } = await ask('/payment-methods', { ...CARD, token });
    expect([status, body]).toEqual([
      201,
      { ...CARD, token, ref: expect.stringMatching(/^[\da-f-]{36}$/), createdAt: expect.any(String) },
    ]);
    const { rows } = await payments.db.query('select token from payment_method where ref = $1', [
      body['ref'],
    ]);
    expect(rows).toEqual([{ token }]);
  });

  it.each([
    ['a card number as token', { token: '4111111111111111' }, 'token'],
    ['a card number as holder', { holderRef: '4111111111111111' }, 'holderRef'],
    ['a mail address as holder', { holderRef: 'me@example.org' }, 'holderRef'],
    ['a field that nobody asked for', { cvc: '123' }, ''],
    ['another kind', { kind: 'cheque' }, 'kind'],
  ])('refuses %s, in words, and keeps nothing', async (_, part, path) => {
    const before = (await payments.db.query('select from payment_method')).rowCount;
    const { status, type, body } = await ask('/payment-methods', { ...CARD, ...part });
    expect([status, type, body['type']]).toEqual([
      400,
      expect.stringContaining('application/problem+json'),
      'urn:aura:problem:invalid',
    ]);
    expect(body['errors']).toMatchObject([{ path }]);
    expect((await payments.db.query('select from payment_method')).rowCount).toBe(before);
  });
});

describe('GET /payments/:sagaId', () => {
  it('shows how a payment goes on, and the ledger of it', async () => {
    const methodRef = await payments.method('tok-ok');
    const [hold, call] = [askFor(methodRef), outside()];
    const answer = accepted(await participant.call(hold, call));
    await payments.run((work) => participant.prepare(hold, answer, work));
    const path = `/payments/${hold.sagaId}`;
    const at = expect.stringMatching(/^20.*Z$/);
    const entry = (kind: string, debit: string, credit: string): object => {
      return { kind, debit, credit, amountCents: 4_990, currency: 'EUR', at };
    };
    const common = {
      branch: 'payment',
      coordinator: 'checkout',
      methodRef,
      amountCents: 4_990,
      currency: 'EUR',
      authorisation: { id: expect.stringMatching(/^auth-/), at },
    };
    expect((await ask(path)).body).toEqual({
      sagaId: hold.sagaId,
      payments: [
        {
          ...common,
          state: 'authorised',
          capture: null,
          void: null,
          refund: null,
          entries: [entry('authorised', 'held', 'cards')],
        },
      ],
    });
    await payments.run((work) => participant.commit(hold, work));
    const shown = await settled('confirmed', async () => {
      const { body } = await ask(path);
      const [payment] = body['payments'] as { state: string }[];
      return payment?.state === 'collected' && payment;
    });
    expect(shown).toMatchObject({ ...common, capture: { at, confirmedAt: at }, void: null, refund: null });
    const authorisation = (shown as unknown as { authorisation: { id: string } }).authorisation.id;
    const back = (branch: string, amountCents: bigint): Promise<void> => {
      const of = { sagaId: randomUUID(), branch, coordinator: 'delivery', purchaseId: hold.sagaId };
      const refund = { ...of, authorisation, amountCents, reference: branch, providerRefund: 'refund-1' };
      return payments.run((work) => refunded(work, refund));
    };
    await back('first', 990n);
    expect((await ask(path)).body['payments']).toMatchObject([
      { state: 'collected', refund: { at, amountCents: 990 } },
    ]);
    await back('rest', 4_000n);
    const entries = [
      entry('authorised', 'held', 'cards'),
      entry('captured', 'due', 'held'),
      entry('collected', 'receivable', 'due'),
      { ...entry('refunded', 'cards', 'receivable'), amountCents: 990 },
      { ...entry('refunded', 'cards', 'receivable'), amountCents: 4_000 },
    ];
    expect((await ask(path)).body['payments']).toMatchObject([
      { state: 'refunded', refund: { at, amountCents: 4_990 }, entries },
    ]);
  });

  it('shows what was taken back', async () => {
    const [hold, call] = [askFor(await payments.method('tok-ok')), outside()];
    const answer = accepted(await participant.call(hold, call));
    await payments.run((work) => participant.prepare(hold, answer, work));
    await payments.run((work) => participant.cancel(hold, work));
    const { body } = await ask(`/payments/${hold.sagaId}`);
    expect(body['payments']).toMatchObject([
      { state: 'cancelled', void: { at: expect.any(String) }, capture: null },
    ]);
  });

  it.each([
    [404, randomUUID(), 'No money was held'],
    [400, 'mine', 'uuid'],
  ])('says %i for %s, in words', async (status, id, detail) => {
    const answer = await ask(`/payments/${id}`);
    expect([answer.status, answer.type]).toEqual([
      status,
      expect.stringContaining('application/problem+json'),
    ]);
    expect(answer.body['detail']).toContain(detail);
  });
});

it('has an OpenAPI document of its routes, with what the simulated cards do', async () => {
  const { body } = await ask('/openapi.json');
  const paths = body['paths'] as Record<string, object>;
  expect(Object.keys(paths)).toEqual(expect.arrayContaining(['/payment-methods', '/payments/{sagaId}']));
  expect(JSON.stringify(paths['/payment-methods'])).toContain('`tok-declined`: Declined.');
});
