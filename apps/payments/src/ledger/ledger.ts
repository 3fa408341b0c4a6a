/**
 * The ledger's statements: each takes all payments of a unit at once, and refuses as a whole. What may follow
 * what is held by the table's own constraints (L1 to L4, in its migration). Refunds: refunds.ts.
 */
import type { Work } from '@aura/eventing';
import { InvariantError, statement, type Statement } from '@aura/platform';
import type { EntityManager } from 'typeorm';
import { CURRENCY, inOrder, type Entry } from '../domain/payment-rules.js';

/** Which payment: the branch of the saga that asked for it. */
export interface PaymentKey {
  readonly sagaId: string;
  readonly branch: string;
}

/** What is known of a payment when its money is held. */
export interface NewPayment extends PaymentKey {
  readonly coordinator: string;
  readonly methodRef: string;
  /** What the provider knows it by. */
  readonly reference: string;
  /** What the provider calls it. */
  readonly authorisation: string;
  readonly amountCents: bigint;
}

/** What a capture needs to know. */
export interface CapturedPayment extends PaymentKey {
  readonly reference: string;
  readonly authorisation: string;
}

/** A payment with all its entries. */
export interface Payment extends NewPayment {
  readonly entries: readonly Entry[];
}

const AUTHORISED = statement(
  'ledger_authorised',
  `with asked as (
     select * from unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::text[],
                          $7::bigint[])
         as asked(saga_id, branch, coordinator, method_ref, reference, authorisation, amount_cents)),
   header as (
     insert into payment (saga_id, branch, coordinator, method_ref, reference, authorisation)
     select saga_id, branch, coordinator, method_ref, reference, authorisation from asked)
   insert into ledger_entry (saga_id, branch, kind, debit, credit, amount_cents, currency, posted_at)
   select saga_id, branch, 'authorised', 'held', 'cards', amount_cents, '${CURRENCY}', $8 from asked`,
);

/** The next entry of each payment that has its money in `credit`; the others are not in the answer. */
const follow = (kind: string, debit: string, credit: string): Statement =>
  statement(
    `ledger_${kind}`,
    `with posted as (
       insert into ledger_entry (saga_id, branch, kind, debit, credit, amount_cents, currency, posted_at)
       select saga_id, branch, '${kind}', '${debit}', '${credit}', amount_cents, currency, $3
         from unnest($1::uuid[], $2::text[]) as asked(saga_id, branch)
         join ledger_entry using (saga_id, branch)
        where ledger_entry.debit = '${credit}'
       returning saga_id, branch)
     select saga_id as "sagaId", branch, reference, authorisation
       from posted join payment using (saga_id, branch)`,
  );

const CAPTURED = follow('captured', 'due', 'held');
const CANCELLED = follow('cancelled', 'cards', 'held');
const COLLECTED = follow('collected', 'receivable', 'due');

const OF_SAGA = statement(
  'payment_of_saga',
  `select saga_id as "sagaId", branch, coordinator, method_ref as "methodRef", reference, authorisation,
          (select json_agg(json_build_object('kind', kind, 'debit', debit, 'credit', credit,
                           'amountCents', amount_cents, 'currency', currency, 'at', posted_at))
             from ledger_entry where (saga_id, branch) = (payment.saga_id, payment.branch)) as entries
     from payment where saga_id = $1 order by branch`,
);

/** cards -> held: the provider holds it for us. */
export async function authorised(work: Work, payments: readonly NewPayment[]): Promise<void> {
  await work.run(AUTHORISED, [
    payments.map((p) => p.sagaId),
    payments.map((p) => p.branch),
    payments.map((p) => p.coordinator),
    payments.map((p) => p.methodRef),
    payments.map((p) => p.reference),
    payments.map((p) => p.authorisation),
    payments.map((p) => p.amountCents),
    work.now,
  ]);
}

/** held -> due: it is ours, the provider has yet to hear of it. */
export const captured = (work: Work, keys: readonly PaymentKey[]): Promise<CapturedPayment[]> =>
  post(work, CAPTURED, keys);

/** held -> cards: it is taken back. */
export const cancelled = (work: Work, keys: readonly PaymentKey[]): Promise<CapturedPayment[]> =>
  post(work, CANCELLED, keys);

/** due -> receivable: the provider has confirmed the capture. */
export const collected = (work: Work, keys: readonly PaymentKey[]): Promise<CapturedPayment[]> =>
  post(work, COLLECTED, keys);

/** Throws where a payment has not got so far, or is over: the caller's order of calls is wrong. */
async function post(work: Work, entry: Statement, keys: readonly PaymentKey[]): Promise<CapturedPayment[]> {
  const posted = await work.run<CapturedPayment>(entry, [
    keys.map((key) => key.sagaId),
    keys.map((key) => key.branch),
    work.now,
  ]);
  if (posted.length === keys.length) return posted;
  const done = new Set(posted.map(({ sagaId, branch }) => `${branch} of saga ${sagaId}`));
  const missing = keys
    .map(({ sagaId, branch }) => `${branch} of saga ${sagaId}`)
    .find((key) => !done.has(key));
  throw new InvariantError(`${entry.name}: ${missing} has no money where it would have to be taken from`);
}

/** The payments of a saga with their entries, as they followed each other. */
export async function paymentsOf(entities: EntityManager, sagaId: string): Promise<Payment[]> {
  type Row = NewPayment & { entries: (Entry & { at: string })[] };
  const rows = await entities.query<Row[]>(OF_SAGA.text, [sagaId]);
  return rows.map((row) => ({
    ...row,
    entries: inOrder(row.entries.map((entry) => ({ ...entry, at: new Date(entry.at) }))),
  }));
}
