import { Tasks, type Task, type TaskEnding, type TaskHandler } from '@aura/eventing';
import { kindOf, TransientError } from '@aura/platform';
import { Inject, Injectable } from '@nestjs/common';
import * as ledger from './ledger/ledger.js';
import { PAYMENT_PROVIDER, ProviderRefusedError, type PaymentProvider } from './provider/payment-provider.js';

export const CAPTURE_PAYMENTS = 'capture-payments';
/** Payments of one task: they are some 200 bytes each, and a task takes 64 KiB. */
export const MOST_PER_CAPTURE = 100;
/** When a payment that failed among others is tried again. */
const ALONE_AFTER_MS = 1_000;

export interface CapturePayments {
  readonly payments: readonly ledger.CapturedPayment[];
}

/**
 * Takes from the provider what the ledger says is ours, and posts each capture that it confirms.
 *
 * Tried again for about a week, which is how long authorisations last: a decided purchase is paid. One that
 * the provider refuses for good stays in sight as a failed task, with its money in `due`.
 */
@Tasks()
@Injectable()
export class CapturePaymentsTask implements TaskHandler<CapturePayments> {
  readonly kind = CAPTURE_PAYMENTS;
  readonly concurrency = 4;
  readonly maxAttempts = 20_000;

  constructor(@Inject(PAYMENT_PROVIDER) private readonly provider: PaymentProvider) {}

  async run({ payload: { payments } }: Task<CapturePayments>, signal: AbortSignal): Promise<TaskEnding> {
    const outcomes = await Promise.all(payments.map((payment) => this.#capture(payment, signal)));
    const errors = outcomes.filter((outcome) => outcome !== undefined);
    if (payments.length === 1 && errors[0]) throw errors[0];
    if (errors.length === payments.length && errors.every((error) => kindOf(error) !== 'terminal'))
      throw new TransientError(`none of ${payments.length} payments could be captured`, { cause: errors[0] });
    const done = payments.filter((_, index) => outcomes[index] === undefined);
    const failed = payments.filter((_, index) => outcomes[index] !== undefined);
    return async (work) => {
      await ledger.collected(work, done);
      // On their own, so that one that fails for good does not keep the others.
      const dueAt = new Date(work.now.getTime() + ALONE_AFTER_MS);
      for (const payment of failed) {
        const payload: CapturePayments = { payments: [payment] };
        work.schedule({ kind: CAPTURE_PAYMENTS, key: payment.sagaId, payload, dueAt });
      }
    };
  }

  /** Its error; undefined where it was captured. */
  async #capture(payment: ledger.CapturedPayment, signal: AbortSignal): Promise<Error | undefined> {
    const { reference, authorisation } = payment;
    try {
      await this.provider.capture(authorisation, { idempotencyKey: `${reference}/capture`, signal });
      return undefined;
    } catch (error) {
      // By an earlier try, whose key the provider has forgotten: nobody else knows this authorisation.
      if (error instanceof ProviderRefusedError && error.code === 'already-captured') return undefined;
      return error instanceof Error ? error : new Error(String(error));
    }
  }
}
