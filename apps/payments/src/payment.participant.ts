import type { Work } from '@aura/eventing';
import { InvariantError, TransientError, type Clock } from '@aura/platform';
import {
  ParticipantOf,
  prepared,
  type Answer,
  type Ask,
  type ExternalParticipant,
  type OutsideCall,
  type Vote,
} from '@aura/saga';
import { PaymentHold } from '@aura/schemas';
import { CLOCK } from '@aura/service';
import { Inject, Injectable } from '@nestjs/common';
import { CAPTURE_PAYMENTS, MOST_PER_CAPTURE, type CapturePayments } from './capture-payments.task.js';
import { refusalOf, unknownMethod } from './domain/payment-rules.js';
import * as ledger from './ledger/ledger.js';
import { PaymentMethods } from './payment-methods.js';
import {
  PAYMENT_PROVIDER,
  ProviderRefusedError,
  ProviderUnavailableError,
  type Authorisation,
  type PaymentProvider,
} from './provider/payment-provider.js';

/** How far the provider's clock may be from ours. */
export const CLOCK_SKEW_MS = 2_000;

/** What an accepted answer carries: all that `prepare` and the capture will need. */
interface Held {
  readonly reference: string;
  readonly authorisation: string;
}

type Accepted = Answer & { readonly accepted: true };
type Hold = Ask<PaymentHold>;
/** The work of a set of asks: what one of them causes is scheduled through `of`. */
type SetWork = Work & { of(ask: Hold): Work };

/**
 * Money for a purchase: held at the provider, then taken or given back.
 *
 * An authorise is not executed after the branch's deadline, by the provider's clock. So a payment that the
 * provider has not heard of is "unknown" until then, and "never arrived" afterwards: nothing is held behind
 * the back of a look-up (H16).
 */
@Injectable()
@ParticipantOf(PaymentHold)
export class PaymentParticipant implements ExternalParticipant<PaymentHold> {
  constructor(
    private readonly methods: PaymentMethods,
    @Inject(PAYMENT_PROVIDER) private readonly provider: PaymentProvider,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async call({ input, deadline }: Hold, { idempotencyKey, signal }: OutsideCall): Promise<Answer> {
    const refusal = refusalOf(input);
    if (refusal) return notAccepted(refusal);
    const token = await this.methods.tokenOf(input.methodRef);
    if (token === undefined) return notAccepted(unknownMethod(input.methodRef));
    if (this.clock.now() >= deadline)
      return notAccepted({
        code: 'too-late',
        reason: 'the time for this payment was over before it was asked for',
      });
    const { amountCents, currency } = input;
    const request = { reference: idempotencyKey, token, amountCents, currency, notAfter: deadline };
    try {
      return answerOf(idempotencyKey, await this.provider.authorise(request, { idempotencyKey, signal }));
    } catch (error) {
      // Nothing of this call got there, and nothing of an earlier one did: it would have been looked up.
      if (error instanceof ProviderUnavailableError)
        return notAccepted({
          code: 'provider-unavailable',
          reason: 'the payment provider is not reachable at the moment: try again later',
        });
      throw error;
    }
  }

  async lookUp({ deadline }: Hold, { idempotencyKey, signal }: OutsideCall): Promise<Answer | undefined> {
    // Before the look-up is sent: a request that arrives in between is seen by the next one.
    const canArrive = this.clock.now().getTime() <= deadline.getTime() + CLOCK_SKEW_MS;
    const authorisation = await this.provider.lookUp(idempotencyKey, signal);
    if (authorisation) return answerOf(idempotencyKey, authorisation);
    if (!canArrive) return undefined;
    throw new TransientError(
      `payment ${idempotencyKey} is not known to the provider, and may arrive until ${deadline.toISOString()}`,
    );
  }

  async release(_ask: Hold, { idempotencyKey, signal }: OutsideCall): Promise<void> {
    try {
      await this.provider.void(idempotencyKey, { idempotencyKey: `${idempotencyKey}/void`, signal });
    } catch (error) {
      if (!(error instanceof ProviderRefusedError) || error.code !== 'unknown-payment') throw error;
      // It was accepted, so it will be known again: giving up would leave the money held.
      throw new TransientError(`payment ${idempotencyKey} can't be voided yet`, { cause: error });
    }
  }

  async prepare(ask: Hold, answer: Accepted, work: Work): Promise<Vote> {
    const [vote] = await this.prepareAll([{ ask, answer }], work);
    return vote as Vote;
  }

  commit(ask: Hold, work: Work): Promise<void> {
    return this.#commit([ask], work, () => work);
  }

  cancel(ask: Hold, work: Work): Promise<void> {
    return this.cancelAll([ask], work);
  }

  /** One statement for all payments of a unit. */
  async prepareAll(
    accepted: readonly { readonly ask: Hold; readonly answer: Accepted }[],
    work: Work,
  ): Promise<readonly Vote[]> {
    const payments = accepted.map(({ ask, answer }) => paymentOf(ask, answer));
    await ledger.authorised(work, payments);
    return payments.map(({ authorisation }) => prepared({ authorisation }));
  }

  /** One statement for all payments of a unit, and one task for every hundred of them. */
  commitAll(asks: readonly Hold[], work: SetWork): Promise<void> {
    return this.#commit(asks, work, (ask) => work.of(ask));
  }

  /** One statement for all payments of a unit. */
  async cancelAll(asks: readonly Hold[], work: Work): Promise<void> {
    await ledger.cancelled(work, asks);
  }

  async #commit(asks: readonly Hold[], work: Work, of: (ask: Hold) => Work): Promise<void> {
    const [first] = asks;
    if (!first) return;
    const captured = await ledger.captured(work, asks);
    for (let from = 0; from < captured.length; from += MOST_PER_CAPTURE) {
      const payload: CapturePayments = { payments: captured.slice(from, from + MOST_PER_CAPTURE) };
      of(first).schedule({ kind: CAPTURE_PAYMENTS, key: first.sagaId, payload });
    }
  }
}

function paymentOf({ sagaId, branch, coordinator, input }: Hold, { data }: Accepted): ledger.NewPayment {
  const { authorisation, reference } = data as Partial<Held>;
  if (!authorisation || !reference)
    throw new InvariantError(`the answer for ${branch} of saga ${sagaId} names no authorisation`);
  const { methodRef, amountCents } = input;
  return { sagaId, branch, coordinator, methodRef, reference, authorisation, amountCents };
}

function answerOf(reference: string, outcome: Authorisation): Answer {
  if (!outcome.held) return notAccepted(outcome);
  const { authorisation } = outcome;
  return { accepted: true, data: { reference, authorisation } satisfies Held };
}

function notAccepted({ code, reason }: { readonly code: string; readonly reason: string }): Answer {
  return { accepted: false, code, reason };
}
