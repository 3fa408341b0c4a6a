import { randomUUID } from 'node:crypto';
import { settled } from '@aura/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  ProviderRefusedError,
  ProviderUnavailableError,
  type AuthoriseRequest,
  type Authorisation,
  type RefundOutcome,
  type RefundRequest,
} from '../src/provider/payment-provider.js';
import type { Token } from '../src/simulator/behaviour.js';
import type { SimulatedProvider } from '../src/simulator/simulated-provider.js';
import { gate, paymentsFixture, type Fixture } from './payments-service.js';

let payments: Fixture;
let now: Date;
let provider: SimulatedProvider;
/** Opens what `late` waits for. */
let open: () => void;
beforeAll(async () => {
  payments = await paymentsFixture();
});
afterAll(() => payments.close());
beforeEach(async () => {
  await payments.db.query('truncate provider.payment, provider.refund, provider.fault, provider.overtaken');
  now = new Date();
  const { late, open: opens } = gate();
  open = opens;
  provider = payments.provider({ slowMs: 20, late, clock: { now: () => now }, keyMemoryMs: 60_000 });
});

const request = (token: Token, reference: string = randomUUID()): AuthoriseRequest => ({
  reference,
  token,
  amountCents: 1_000n,
  currency: 'EUR',
  notAfter: new Date(now.getTime() + 5_000),
});

/** What comes back within 300 ms; `silence` where nothing does: the caller goes away. */
async function soon<T>(send: (signal: AbortSignal) => Promise<T>): Promise<T | 'silence'> {
  const signal = AbortSignal.timeout(300);
  return send(signal).catch((error: unknown) => {
    if (signal.aborted) return 'silence';
    throw error;
  });
}

const authorise = (asked: AuthoriseRequest): Promise<Authorisation | 'silence'> =>
  soon((signal) => provider.authorise(asked, { idempotencyKey: asked.reference, signal }));

async function held(token: Token = 'tok-ok'): Promise<{ id: string; reference: string }> {
  const asked = request(token);
  const outcome = await settled('held', () => authorise(asked).then((heard) => heard !== 'silence' && heard));
  if (!outcome.held) throw new Error('declined');
  return { id: outcome.authorisation, reference: asked.reference };
}

async function captured(token: Token = 'tok-ok'): Promise<{ id: string }> {
  const { id } = await held(token);
  await payments.db.query(
    "update provider.payment set state = 'captured', captured_at = now() where id = $1",
    [id],
  );
  return { id };
}

const call = (idempotencyKey: string) => ({ idempotencyKey, signal: new AbortController().signal });
const lookUp = (reference: string): Promise<Authorisation | undefined> =>
  provider.lookUp(reference, new AbortController().signal);

/** A request to give `cents` of a payment back; its reference is its key as well. */
const refundOf = (authorisation: string, reference: string, cents = 1_000n): RefundRequest => ({
  reference,
  authorisation,
  amountCents: cents,
  notAfter: new Date(now.getTime() + 5_000),
});
const refund = (asked: RefundRequest): Promise<RefundOutcome | 'silence'> =>
  soon((signal) => provider.refund(asked, { idempotencyKey: asked.reference, signal }));

const said = (outcome: RefundOutcome | 'silence' | undefined): string | undefined =>
  typeof outcome === 'object' ? (outcome.refunded ? 'refunded' : outcome.code) : outcome;

const word = (outcome: Authorisation | 'silence' | undefined): string | undefined =>
  typeof outcome === 'object' ? (outcome.held ? 'held' : 'declined') : outcome;

describe('the simulated provider', () => {
  it.each<[Token, heard: 'held' | 'declined' | 'silence', known: 'held' | 'declined' | undefined]>([
    ['tok-ok', 'held', 'held'],
    ['tok-declined', 'declined', 'declined'],
    ['tok-slow', 'held', 'held'],
    ['tok-twice', 'held', 'held'],
    ['tok-timeout-after', 'silence', 'held'],
    ['tok-timeout-before', 'silence', undefined],
  ])(
    '%s: the caller hears %s, a look-up says %s, one more try is as good as the first',
    async (token, ...is) => {
      const asked = request(token);
      const heard = await authorise(asked);
      expect([word(heard), word(await lookUp(asked.reference))]).toEqual(is);
      const again = await authorise(asked);
      expect(word(again)).toBe(token === 'tok-declined' ? 'declined' : 'held');
      if (typeof heard === 'object') expect(again).toEqual(heard);
      const { rows } = await payments.db.query('select count(*)::int as n from provider.payment');
      expect(rows).toEqual([{ n: 1 }]);
    },
  );

  it('P2: tok-late is executed when its caller has gone, but not after `notAfter`', async () => {
    const [asked, tooLate] = [request('tok-late'), { ...request('tok-late'), notAfter: now }];
    const gone = AbortSignal.timeout(5);
    const both = [asked, tooLate].map((each) =>
      provider.authorise(each, { idempotencyKey: each.reference, signal: gone }),
    );
    await expect(Promise.any(both)).rejects.toThrow();
    expect(await lookUp(asked.reference)).toBeUndefined();
    now = new Date(now.getTime() + 1);
    open();
    await provider.idle();
    expect([await lookUp(asked.reference), await lookUp(tooLate.reference)]).toEqual([
      expect.objectContaining({ held: true }),
      undefined,
    ]);
  });

  it('P2: what arrived in time stands for one who asks again too late', async () => {
    const asked = request('tok-ok');
    const first = await authorise(asked);
    now = new Date(now.getTime() + 6_000);
    expect(await authorise(asked)).toEqual(first);
    expect(await authorise({ ...request('tok-ok'), notAfter: asked.notAfter })).toMatchObject({
      code: 'too-late',
    });
  });

  it('P1: a key is executed once while it is remembered; forgotten, it holds the money twice', async () => {
    const asked = request('tok-ok');
    const first = await authorise(asked);
    now = new Date(now.getTime() + 59_000);
    const later = { ...asked, notAfter: new Date(now.getTime() + 5_000) };
    expect(await authorise(later)).toEqual(first);
    now = new Date(now.getTime() + 2_000);
    expect(await authorise(later)).not.toEqual(first);
    expect(await payments.books()).toMatchObject({ authorised_cents: 2_000, open_cents: 2_000 });
  });

  it('P1: a capture and a refund each happen once, however often their key comes', async () => {
    const { id } = await held();
    await Promise.all([1, 2, 3].map(() => provider.capture(id, call('c'))));
    await expect(provider.capture(id, call('another'))).rejects.toMatchObject({ code: 'already-captured' });
    const asked = refundOf(id, 'r');
    const outcomes = await Promise.all([1, 2, 3].map(() => refund(asked)));
    expect(new Set(outcomes.map((outcome) => outcome !== 'silence' && outcome.refunded))).toEqual(
      new Set([true]),
    );
    expect(await refund(refundOf(id, 'another', 1n))).toMatchObject({ code: 'more-than-is-left' });
    now = new Date(now.getTime() + 61_000);
    await expect(provider.capture(id, call('c'))).rejects.toMatchObject({ code: 'already-captured' });
    expect(await payments.books()).toMatchObject({
      captured_cents: 1_000,
      refunded_cents: 1_000,
      open_cents: 0,
    });
  });

  it.each<[Token, heard: string, known: string | undefined]>([
    ['tok-ok', 'refunded', 'refunded'],
    ['tok-refund-declined', 'refund-declined', 'refund-declined'],
    ['tok-slow', 'refunded', 'refunded'],
    ['tok-twice', 'refunded', 'refunded'],
    ['tok-timeout-after', 'silence', 'refunded'],
    ['tok-timeout-before', 'silence', undefined],
  ])('a refund to %s: the caller hears %s, a look-up says %s, one more try tells', async (token, ...is) => {
    const { id } = await captured(token);
    const asked = refundOf(id, randomUUID(), 400n);
    const heard = await refund(asked);
    const known = await provider.lookUpRefund(asked.reference, new AbortController().signal);
    expect([said(heard), said(known)]).toEqual(is);
    const declined = token === 'tok-refund-declined';
    expect(said(await refund(asked))).toBe(declined ? 'refund-declined' : 'refunded');
    expect(await payments.books()).toMatchObject({ refunded_cents: declined ? 0 : 400 });
  });

  it('P2: a refund to tok-late is executed when its caller has gone, but not after `notAfter`', async () => {
    const { id } = await captured('tok-late');
    const [asked, tooLate] = [refundOf(id, 'a', 300n), { ...refundOf(id, 'b', 300n), notAfter: now }];
    expect(await Promise.all([refund(asked), refund(tooLate)])).toEqual(['silence', 'silence']);
    now = new Date(now.getTime() + 1);
    open();
    await provider.idle();
    const { signal } = call('');
    expect([await provider.lookUpRefund('a', signal), await provider.lookUpRefund('b', signal)]).toEqual([
      expect.objectContaining({ refunded: true }),
      undefined,
    ]);
    expect(await payments.books()).toMatchObject({ refunded_cents: 300 });
  });

  it('P1: a refund whose key is forgotten is made twice, and never above what was captured', async () => {
    const { id } = await captured();
    await refund(refundOf(id, 'r', 600n));
    now = new Date(now.getTime() + 61_000);
    await refund(refundOf(id, 'small', 100n));
    expect(await refund(refundOf(id, 'r', 600n))).toMatchObject({ code: 'more-than-is-left' });
    now = new Date(now.getTime() + 61_000);
    expect(await refund(refundOf(id, 'small', 100n))).toMatchObject({ refunded: true });
    expect(await payments.books()).toMatchObject({ refunded_cents: 800 });
    const tooMuch = payments.db.query('update provider.payment set refunded_cents = 1001');
    await expect(tooMuch).rejects.toMatchObject({ code: '23514' });
  });

  it('gives back what is held, once; then nothing can be captured', async () => {
    const { id, reference } = await held();
    await provider.void(reference, call('v'));
    await provider.void(reference, call('v'));
    await expect(provider.capture(id, call('c'))).rejects.toMatchObject({ code: 'voided' });
    expect(await refund(refundOf(id, 'r'))).toMatchObject({ refunded: false, code: 'not-captured' });
    const other = await held();
    await provider.capture(other.id, call('c2'));
    await expect(provider.void(other.reference, call('v2'))).rejects.toMatchObject({
      code: 'already-captured',
    });
    expect(await payments.books()).toMatchObject({
      voided_cents: 1_000,
      captured_cents: 1_000,
      open_cents: 0,
    });
  });

  it('H16: a void before its authorise is in the books, and so is the money that nobody voids', async () => {
    const asked = request('tok-ok');
    await expect(provider.void(asked.reference, call('v'))).rejects.toBeInstanceOf(ProviderRefusedError);
    await authorise(asked);
    expect(await payments.books()).toMatchObject({ overtaken: 1, open_cents: 1_000 });
  });

  it('an outage refuses everything, and nothing of it has happened', async () => {
    const { id, reference } = await held();
    const down = payments.provider({ outages: { everyMs: 1_000, forMs: 1_000 } });
    const asked = request('tok-ok');
    const { signal } = call('');
    const all = [
      down.authorise(asked, call('a')),
      down.capture(id, call('c')),
      down.refund(refundOf(id, 'r'), call('r')),
      down.lookUpRefund('r', signal),
      down.void(reference, call('v')),
      down.lookUp(reference, signal),
    ];
    for (const outcome of await Promise.allSettled(all))
      expect(outcome).toEqual({ status: 'rejected', reason: expect.any(ProviderUnavailableError) });
    expect(await lookUp(asked.reference)).toBeUndefined();
    expect(await payments.books()).toMatchObject({ authorised_cents: 1_000, open_cents: 1_000 });
  });

  it('P3: another process finds everything as it was', async () => {
    const { id, reference } = await held();
    const restarted = payments.provider({ slowMs: 20 });
    expect(await restarted.lookUp(reference, new AbortController().signal)).toEqual({
      held: true,
      authorisation: id,
    });
    await restarted.capture(id, call('c'));
    await expect(provider.capture(id, call('c'))).resolves.toBeUndefined();
  });

  it('P4: nobody waits for an answer after it was closed', async () => {
    const closing = payments.provider({ slowMs: 60_000 });
    const asked = (['tok-slow', 'tok-late', 'tok-timeout-before'] as const).map((token) => request(token));
    const waiting = asked.map((each) => closing.authorise(each, call(each.reference)));
    const ends = Promise.allSettled(waiting);
    await settled('all have arrived', async () => (await payments.books())['faults'] === 3);
    await closing.close();
    expect((await ends).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  });
});
