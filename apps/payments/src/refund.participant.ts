import type { Work } from '@aura/eventing';
import { InvariantError } from '@aura/platform';
import {
  ParticipantOf,
  prepared,
  type Answer,
  type Ask,
  type ExternalParticipant,
  type OutsideCall,
  type Vote,
} from '@aura/saga';
import { Refund } from '@aura/schemas';
import { Inject, Injectable } from '@nestjs/common';
import { EntityManager } from 'typeorm';
import { paymentToRefund } from './domain/refund-rules.js';
import { refundableOf, refunded } from './ledger/refunds.js';
import { PAYMENT_PROVIDER, type PaymentProvider, type RefundOutcome } from './provider/payment-provider.js';

/** What an accepted answer carries: all that the ledger will need. */
interface Made {
  readonly reference: string;
  readonly refund: string;
  readonly authorisation: string;
}

type Asked = Ask<Refund>;

/**
 * Money that goes back for what was returned: the pivot of a return. The provider's yes is the decision, so
 * there is no way back from it, and nothing is written down before it.
 *
 * A call, however often it is repeated, is one refund at the provider: the saga's key is its reference. It is
 * not executed after the branch's deadline, as with a payment.
 */
@Injectable()
@ParticipantOf(Refund)
export class RefundParticipant implements ExternalParticipant<Refund> {
  /** No request is under way beyond its time limit; what is later than `notAfter` is refused there. */
  readonly limits = { arrivalLimitMs: 60_000 };

  constructor(
    private readonly entities: EntityManager,
    @Inject(PAYMENT_PROVIDER) private readonly provider: PaymentProvider,
  ) {}

  async call({ input, deadline }: Asked, { idempotencyKey, signal }: OutsideCall): Promise<Answer> {
    const payment = paymentToRefund(input, await refundableOf(this.entities, input.purchaseId));
    if ('code' in payment) return { accepted: false, code: payment.code, reason: payment.reason };
    const { amountCents } = input;
    const { authorisation } = payment;
    const request = { reference: idempotencyKey, authorisation, amountCents, notAfter: deadline };
    return answerOf(idempotencyKey, await this.provider.refund(request, { idempotencyKey, signal }));
  }

  async lookUp(_ask: Asked, { idempotencyKey, signal }: OutsideCall): Promise<Answer | undefined> {
    const outcome = await this.provider.lookUpRefund(idempotencyKey, signal);
    return outcome && answerOf(idempotencyKey, outcome);
  }

  async prepare(
    { sagaId, branch, coordinator, input }: Asked,
    { data }: Answer & { accepted: true },
    work: Work,
  ): Promise<Vote> {
    const { purchaseId, amountCents, currency } = input;
    const { reference, refund: providerRefund, authorisation } = data as Made;
    const made = { reference, providerRefund, authorisation };
    await refunded(work, { sagaId, branch, coordinator, purchaseId, amountCents, ...made });
    return prepared({ refund: providerRefund, amountCents: Number(amountCents), currency });
  }

  /** It was done when it was prepared. */
  commit(): Promise<void> {
    return Promise.resolve();
  }

  /** Never asked of a pivot. */
  cancel({ sagaId }: Asked): Promise<void> {
    return Promise.reject(new InvariantError(`the refund of return ${sagaId} can't be taken back`));
  }

  release(ask: Asked): Promise<void> {
    return this.cancel(ask);
  }
}

function answerOf(reference: string, outcome: RefundOutcome): Answer {
  if (!outcome.refunded) return { accepted: false, code: outcome.code, reason: outcome.reason };
  const { refund, authorisation } = outcome;
  return { accepted: true, data: { reference, refund, authorisation } satisfies Made };
}
