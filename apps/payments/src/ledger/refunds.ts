/**
 * The statements on `refund` and on the entries of refunds (L5, in their migration). The entry and its count
 * are written by one statement, under the lock of the payment.
 */
import type { Work } from '@aura/eventing';
import { InvariantError, statement } from '@aura/platform';
import type { EntityManager } from 'typeorm';
import type { Refundable } from '../domain/refund-rules.js';
import type { PaymentKey } from './ledger.js';

/** A refund that the provider has made. */
export interface NewRefund extends PaymentKey {
  readonly coordinator: string;
  readonly purchaseId: string;
  readonly amountCents: bigint;
  /** What the provider calls the payment. */
  readonly authorisation: string;
  /** What the provider knows the refund by, and what it calls it. */
  readonly reference: string;
  readonly providerRefund: string;
}

/** Of a purchase that was paid in parts: the part with most left. */
const REFUNDABLE = statement(
  'payment_refundable',
  `select authorisation, collected, refunded
     from payment
          cross join lateral (
            select coalesce(sum(amount_cents) filter (where kind = 'collected'), 0) as collected,
                   coalesce(sum(amount_cents) filter (where kind = 'refunded'), 0) as refunded,
                   bool_or(kind = 'captured') as captured
              from ledger_entry
             where (saga_id, branch) = (payment.saga_id, payment.branch)) as money
    where saga_id = $1 and captured
    order by collected - refunded desc, branch
    limit 1`,
);

const LOCK = statement(
  'payment_lock',
  `select branch from payment where saga_id = $1 and authorisation = $2 for no key update`,
);

const REFUND = statement(
  'ledger_refunded',
  `with before as (
     select count(*)::int as parts, coalesce(max(after_cents), 0) as cents
       from refund where payment_saga_id = $1 and payment_branch = $2),
   counted as (
     insert into refund (saga_id, branch, coordinator, payment_saga_id, payment_branch, part, amount_cents,
                         before_cents, captured_cents, reference, provider_refund)
     select $3, $4, $5, $1, $2, before.parts + 1, $6, before.cents, whole.amount_cents, $7, $8
       from before, ledger_entry as whole
      where (whole.saga_id, whole.branch, whole.debit) = ($1, $2, 'receivable')
     returning payment_saga_id, payment_branch, part, amount_cents)
   insert into ledger_entry
          (saga_id, branch, kind, debit, credit, part, amount_cents, currency, posted_at)
   select payment_saga_id, payment_branch, 'refunded', 'cards', 'receivable', counted.part,
          counted.amount_cents, whole.currency, $9
     from counted
     join ledger_entry as whole
       on (whole.saga_id, whole.branch, whole.debit) = (payment_saga_id, payment_branch, 'receivable')
   returning part`,
);

/** What of a purchase can still go back; undefined where nothing was captured for it. */
export async function refundableOf(
  entities: EntityManager,
  purchaseId: string,
): Promise<Refundable | undefined> {
  type Row = { authorisation: string; collected: string; refunded: string };
  const [row] = await entities.query<Row[]>(REFUNDABLE.text, [purchaseId]);
  return (
    row && {
      authorisation: row.authorisation,
      collectedCents: BigInt(row.collected),
      refundedCents: BigInt(row.refunded),
    }
  );
}

/**
 * receivable -> cards: some of a payment, given back. Throws `InvariantError` where the payment was not
 * collected, and the database's error where more would go back than was captured.
 */
export async function refunded(work: Work, refund: NewRefund): Promise<void> {
  const { purchaseId, authorisation, sagaId, branch, coordinator, amountCents } = refund;
  const [payment] = await work.run<{ branch: string }>(LOCK, [purchaseId, authorisation]);
  const posted = payment
    ? await work.run(REFUND, [
        purchaseId,
        payment.branch,
        sagaId,
        branch,
        coordinator,
        amountCents,
        refund.reference,
        refund.providerRefund,
        work.now,
      ])
    : [];
  if (posted.length !== 1)
    throw new InvariantError(
      `ledger_refunded: ${authorisation} of purchase ${purchaseId} has no money that could go back`,
    );
}
