/**
 * A payment provider as it might be on a bad day, with books of its own.
 *
 * P1 an idempotency key is executed once, as long as it is remembered; afterwards the same request is a new
 *    one, and a second authorise holds the money twice;
 * P2 a request that was accepted is executed, also where its caller has gone away since, and not after its
 *    `notAfter`;
 * P3 what it did is in its books before anybody hears of it, in transactions of its own: a restart of the
 *    service, or a rollback, changes nothing of it;
 * P4 every wait ends: with the caller's signal, with `close`, or after 30 s.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { GroupCommit, systemClock, type Clock } from '@aura/platform';
import type { Pool } from 'pg';
import {
  ProviderRefusedError,
  ProviderUnavailableError,
  type Authorisation,
  type AuthoriseRequest,
  type PaymentProvider,
  type ProviderCall,
  type RefundOutcome,
  type RefundRequest,
} from '../provider/payment-provider.js';
import {
  declines,
  declinesRefund,
  faultOf,
  hasOutage,
  TIMES,
  type Chance,
  type Fault,
  type Operation,
  type Outages,
} from './behaviour.js';
import {
  ProviderBooks,
  type Known,
  type KnownRefund,
  type Move,
  type NewKnown,
  type Standing,
} from './provider-books.js';

export interface SimulatorOptions {
  /** Of its own: never the service's transaction. Ended by `close`. */
  readonly pool: Pool;
  readonly chance: Chance;
  readonly keyMemoryMs: number;
  /** Default: none. */
  readonly outages?: Outages;
  /** How long `slow` waits with its answer. Default 500. */
  readonly slowMs?: number;
  /** What `late` waits for. Default: 2.5 s, which is longer than anybody waits for an answer. */
  readonly late?: (signal: AbortSignal) => Promise<unknown>;
  readonly clock?: Clock;
}

/** P4. */
const LONGEST_SILENCE_MS = 30_000;

export class SimulatedProvider implements PaymentProvider {
  readonly #books: ProviderBooks;
  readonly #clock: Clock;
  readonly #closing = new AbortController();
  /** P2. Executed behind their callers' backs. */
  readonly #late = new Set<Promise<unknown>>();
  readonly #arriving: GroupCommit<NewKnown, Standing | undefined>;
  readonly #byId: GroupCommit<string, Known | undefined>;
  readonly #byReference: GroupCommit<string, Known | undefined>;
  readonly #capturing: GroupCommit<Move, boolean>;
  #closed: Promise<void> | undefined;

  constructor(private readonly options: SimulatorOptions) {
    const books = new ProviderBooks(options.pool);
    this.#books = books;
    this.#clock = options.clock ?? systemClock;
    this.#arriving = new GroupCommit((all) => books.arrive(all));
    this.#byId = new GroupCommit((ids) => books.byId(ids));
    this.#byReference = new GroupCommit((references) => books.byReference(references));
    this.#capturing = new GroupCommit((moves) => books.capture(moves));
  }

  authorise(request: AuthoriseRequest, call: ProviderCall): Promise<Authorisation> {
    const { token, reference } = request;
    return this.#meet('authorise', token, reference, call.signal, () =>
      this.#hold(request, call.idempotencyKey),
    );
  }

  async capture(authorisation: string, { idempotencyKey: key, signal }: ProviderCall): Promise<void> {
    const { token, reference } = await this.#known(authorisation);
    await this.#meet('capture', token, reference, signal, () => this.#capture(authorisation, key));
  }

  async refund(request: RefundRequest, call: ProviderCall): Promise<RefundOutcome> {
    const { token } = await this.#known(request.authorisation);
    return this.#meet('refund', token, request.reference, call.signal, () =>
      this.#refund(request, token, call.idempotencyKey),
    );
  }

  async void(reference: string, { signal }: ProviderCall): Promise<void> {
    this.#assertUp();
    const token = (await this.#byReference.add(reference))?.token ?? 'tok-ok';
    await this.#meet('void', token, reference, signal, () => this.#void(reference));
  }

  async lookUp(reference: string, signal: AbortSignal): Promise<Authorisation | undefined> {
    this.#assertUp();
    const token = (await this.#byReference.add(reference))?.token ?? 'tok-ok';
    return this.#meet('look-up', token, reference, signal, async () => {
      const known = await this.#byReference.add(reference);
      return known && outcomeOf(known);
    });
  }

  async lookUpRefund(reference: string, signal: AbortSignal): Promise<RefundOutcome | undefined> {
    this.#assertUp();
    const before = await this.#books.refundByReference(reference);
    const token = before ? (await this.#known(before.paymentId)).token : 'tok-ok';
    return this.#meet('look-up', token, reference, signal, async () => {
      const known = await this.#books.refundByReference(reference);
      return known && refundOutcomeOf(known);
    });
  }

  /** Resolves when nothing is executed behind anybody's back any more. */
  async idle(): Promise<void> {
    while (this.#late.size > 0) await Promise.allSettled(this.#late);
  }

  /**
   * Ends every wait; what was to be executed late never is, as when a provider loses its queue. Idempotent.
   */
  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    this.#closing.abort(new ProviderUnavailableError('the simulated provider is closed'));
    await this.idle();
    await this.options.pool.end();
  }

  /** Executes `effect` as well, or as badly, as the token and the seed want it. */
  async #meet<T>(
    operation: Operation,
    token: string,
    reference: string,
    signal: AbortSignal,
    effect: () => Promise<T>,
  ): Promise<T> {
    this.#assertUp();
    const fault = await this.#faultOf(operation, token, reference);
    switch (fault) {
      case undefined:
        return effect();
      case 'slow':
        return this.#wait(this.options.slowMs ?? 500, signal, await effect());
      case 'late':
        this.#later(effect);
        return this.#silence(operation, signal);
      case 'unanswered':
        await effect();
        return this.#silence(operation, signal);
      case 'lost':
        return this.#silence(operation, signal);
      case 'twice':
        return (await Promise.all([effect(), effect()]))[0];
      case 'unreachable':
        throw new ProviderUnavailableError(`simulated: ${operation} found nobody`);
      default:
        return fault satisfies never;
    }
  }

  async #faultOf(operation: Operation, token: string, reference: string): Promise<Fault | undefined> {
    const fault = faultOf(this.options.chance, operation, token, reference);
    if (fault === undefined) return undefined;
    return (await this.#books.fault(operation, reference)) <= TIMES[fault] ? fault : undefined;
  }

  #assertUp(): void {
    this.#closing.signal.throwIfAborted();
    const { chance, outages } = this.options;
    if (outages && hasOutage(chance, outages, this.#clock.now()))
      throw new ProviderUnavailableError('simulated: the provider has an outage');
  }

  #later(effect: () => Promise<unknown>): void {
    const { late: due = inAWhile } = this.options;
    const late: Promise<unknown> = due(this.#closing.signal)
      .then(effect)
      .catch(() => undefined) // nobody listens any more
      .finally(() => this.#late.delete(late));
    this.#late.add(late);
  }

  #wait<T>(ms: number, signal: AbortSignal, value: T): Promise<T> {
    return pause(ms, value, { signal: AbortSignal.any([signal, this.#closing.signal]), ref: false });
  }

  async #silence(operation: Operation, signal: AbortSignal): Promise<never> {
    await this.#wait(LONGEST_SILENCE_MS, signal, undefined).catch(() => undefined);
    throw new ProviderUnavailableError(`simulated: ${operation} is not answered`);
  }

  /** P1, P2. */
  async #hold(request: AuthoriseRequest, key: string): Promise<Authorisation> {
    const { reference, token, amountCents, currency, notAfter } = request;
    const at = this.#clock.now();
    const isDeclined = declines(this.options.chance, token, reference);
    const outcome = at > notAfter ? 'too-late' : isDeclined ? 'declined' : 'authorised';
    // One after the other, so that one that is too late sees what was executed in time.
    const known = await this.#arriving.add({ reference, key, token, amountCents, currency, outcome, at });
    if (!known)
      return { held: false, code: 'too-late', reason: 'the payment provider got the request too late' };
    if (known.isNew || this.#remembers(known.decidedAt)) return outcomeOf(known);
    await this.#books.forget(key, new Date(at.getTime() - this.options.keyMemoryMs));
    return this.#hold(request, key);
  }

  async #capture(id: string, key: string): Promise<void> {
    if (await this.#capturing.add({ id, key, at: this.#clock.now() })) return;
    const { state, captureKey, capturedAt } = await this.#known(id);
    if (captureKey === key && capturedAt && this.#remembers(capturedAt)) return;
    if (state === 'captured') throw new ProviderRefusedError('already-captured', `${id} was captured before`);
    throw new ProviderRefusedError(
      state === 'voided' ? 'voided' : 'declined',
      `${id} holds nothing: ${state}`,
    );
  }

  /** P1, P2: as `#hold`. */
  async #refund(request: RefundRequest, token: string, key: string): Promise<RefundOutcome> {
    const { reference, authorisation: paymentId, amountCents, notAfter } = request;
    const at = this.#clock.now();
    const isDeclined = declinesRefund(this.options.chance, token, reference);
    const outcome = at > notAfter ? 'too-late' : isDeclined ? 'declined' : 'accepted';
    const known = await this.#books.refund({ paymentId, reference, key, amountCents, outcome, at });
    if (!known)
      return { refunded: false, code: 'too-late', reason: 'the payment provider got the request too late' };
    if (known.isNew || this.#remembers(known.decidedAt)) return refundOutcomeOf(known);
    await this.#books.forgetRefund(key, new Date(at.getTime() - this.options.keyMemoryMs));
    return this.#refund(request, token, key);
  }

  async #void(reference: string): Promise<void> {
    const known = await this.#byReference.add(reference);
    if (!known) {
      await this.#books.overtaken(reference, this.#clock.now());
      throw new ProviderRefusedError('unknown-payment', `nobody has asked for ${reference}`);
    }
    if (known.state === 'captured')
      throw new ProviderRefusedError('already-captured', `${reference} can't be voided any more`);
    await this.#books.void(reference, this.#clock.now());
  }

  async #known(id: string): Promise<Known> {
    this.#assertUp();
    const known = await this.#byId.add(id);
    if (!known) throw new ProviderRefusedError('unknown-payment', `there is no authorisation ${id}`);
    return known;
  }

  #remembers(at: Date): boolean {
    return this.#clock.now().getTime() - at.getTime() < this.options.keyMemoryMs;
  }
}

function inAWhile(signal: AbortSignal): Promise<unknown> {
  return pause(2_500, undefined, { signal, ref: false });
}

function outcomeOf({ id, state }: Known): Authorisation {
  if (state === 'declined') return { held: false, code: 'card-declined', reason: 'the card was declined' };
  return { held: true, authorisation: id };
}

const DECLINES: Readonly<Record<string, string>> = {
  'not-captured': 'was never taken from the card',
  'more-than-is-left': 'is more than is left of the payment',
  'refund-declined': 'was declined by the bank of the card',
};

function refundOutcomeOf({ id, paymentId, decline }: KnownRefund): RefundOutcome {
  if (decline === null) return { refunded: true, refund: id, authorisation: paymentId };
  return { refunded: false, code: decline, reason: `the refund ${DECLINES[decline] ?? 'was declined'}` };
}
