import type { Work } from '@aura/eventing';
import { InvariantError, TransientError } from '@aura/platform';
import {
  ParticipantOf,
  prepared,
  type Answer,
  type Ask,
  type ExternalParticipant,
  type OutsideCall,
  type SetWork,
  type Vote,
} from '@aura/saga';
import { PaymentHold } from '@aura/schemas';
import { Inject, Injectable } from '@nestjs/common';
import { CAPTURE_PAYMENTS, MOST_PER_CAPTURE, type CapturePayments } from './capture-payments.task.js';
import { refusalOf, unknownMethod } from './domain/payment-rules.js';
import * as ledger from './ledger/ledger.js';
import { PaymentMethods } from './payment-methods.js';
import {
  PAYMENT_PROVIDER,
  ProviderRefusedError,
  type Authorisation,
  type PaymentProvider,
} from './provider/payment-provider.js';

/** What an accepted answer carries: all that `prepare` and the capture will need. */
interface Held {
  readonly reference: string;
  readonly authorisation: string;
}

type Accepted = Answer & { readonly accepted: true };
type Hold = Ask<PaymentHold>;

/**
 * Money for a purchase: held at the provider, then taken or given back.
 *
 * A call, however often it is repeated, is one payment at the provider: the saga's key is its reference. It
 * is not executed after the branch's deadline, so what the provider has not heard of by then it never will,
 * and nothing is held behind the back of a look-up (H16).
 */
@Injectable()
@ParticipantOf(PaymentHold)
export class PaymentParticipant implements ExternalParticipant<PaymentHold> {
  /** No request is under way beyond its time limit; what is later than `notAfter` is refused there. */
  readonly limits = { arrivalLimitMs: 60_000 };

  constructor(
    private readonly methods: PaymentMethods,
    @Inject(PAYMENT_PROVIDER) private readonly provider: PaymentProvider,
  ) {}

  async call({ input, deadline }: Hold, { idempotencyKey, signal }: OutsideCall): Promise<Answer> {
    const refusal = refusalOf(input);
    if (refusal) return notAccepted(refusal);
    const { amountCents, currency, methodRef } = input;
    const token = await this.methods.tokenOf(methodRef);
    if (token === undefined) return notAccepted(unknownMethod(methodRef));
    const request = { reference: idempotencyKey, token, amountCents, currency, notAfter: deadline };
    // Never a refusal where it is away: an earlier try with this key may still be on its way there.
    return answerOf(idempotencyKey, await this.provider.authorise(request, { idempotencyKey, signal }));
  }

  async lookUp(_ask: Hold, { idempotencyKey, signal }: OutsideCall): Promise<Answer | undefined> {
    const authorisation = await this.provider.lookUp(idempotencyKey, signal);
    return authorisation && answerOf(idempotencyKey, authorisation);
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
