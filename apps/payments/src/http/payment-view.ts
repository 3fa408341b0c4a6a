import { z } from 'zod';
import type { EntryKind } from '../domain/payment-rules.js';
import type { Payment } from '../ledger/ledger.js';

const account = z.enum(['cards', 'held', 'due', 'receivable']);
const at = z.iso.datetime();

/** The form of the answer, for the OpenAPI page. */
export const PaymentsSchema = z.object({
  sagaId: z.uuid(),
  payments: z.array(
    z.object({
      branch: z.string(),
      coordinator: z.string().describe('The service that started the saga.'),
      methodRef: z.uuid(),
      amountCents: z.int(),
      currency: z.string(),
      state: z
        .enum(['authorised', 'captured', 'collected', 'cancelled', 'refunded'])
        .describe('refunded: all of it.'),
      authorisation: z.object({ id: z.string(), at }),
      capture: z
        .object({ at, confirmedAt: at.nullable().describe('null: the provider has not confirmed it yet.') })
        .nullable(),
      void: z.object({ at }).nullable(),
      refund: z
        .object({ at, amountCents: z.int() })
        .nullable()
        .describe('What went back in all, and when the last of it did.'),
      entries: z.array(
        z.object({
          kind: z.string(),
          debit: account,
          credit: account,
          amountCents: z.int(),
          currency: z.string(),
          at,
        }),
      ),
    }),
  ),
});

export type PaymentsView = z.output<typeof PaymentsSchema>;
type PaymentView = PaymentsView['payments'][number];

/** What a client gets of a payment: all of it is said by its entries. */
export function viewOf({ branch, coordinator, methodRef, authorisation, entries }: Payment): PaymentView {
  const times = new Map(entries.map((entry) => [entry.kind, entry.at.toISOString()]));
  const moment = (kind: EntryKind): { at: string } | null => {
    const time = times.get(kind);
    return time === undefined ? null : { at: time };
  };
  const [first, last] = [entries[0], entries.at(-1)];
  if (!first || !last) throw new Error(`payment ${branch} has no entries`);
  const captured = moment('captured');
  const back = entries.filter(({ kind }) => kind === 'refunded');
  const backCents = back.reduce((sum, { amountCents }) => sum + amountCents, 0);
  const isPartly = last.kind === 'refunded' && backCents < first.amountCents;
  return {
    branch,
    coordinator,
    methodRef,
    amountCents: first.amountCents,
    currency: first.currency,
    state: isPartly ? 'collected' : last.kind,
    authorisation: { id: authorisation, at: first.at.toISOString() },
    capture: captured && { ...captured, confirmedAt: moment('collected')?.at ?? null },
    void: moment('cancelled'),
    refund: back.length === 0 ? null : { at: last.at.toISOString(), amountCents: backCents },
    entries: entries.map((entry) => ({
      ...entry,
      debit: entry.debit as z.output<typeof account>,
      credit: entry.credit as z.output<typeof account>,
      at: entry.at.toISOString(),
    })),
  };
}
