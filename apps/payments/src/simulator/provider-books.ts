/** The simulated provider's own statements, each of them a transaction of its own. */
import { randomUUID } from 'node:crypto';
import { run, statement, withClient } from '@aura/platform';
import type { Pool, PoolClient } from 'pg';
import type { Operation } from './behaviour.js';

export type State = 'declined' | 'authorised' | 'captured' | 'voided';

/** A payment as the provider has it. */
export interface Known {
  readonly id: string;
  readonly reference: string;
  readonly token: string;
  readonly state: State;
  readonly decidedAt: Date;
  readonly captureKey: string | null;
  readonly capturedAt: Date | null;
}

/** An authorise that has arrived. */
export interface NewKnown {
  readonly reference: string;
  readonly key: string;
  readonly token: string;
  readonly amountCents: bigint;
  readonly currency: string;
  /** `too-late`: it is not executed any more, but an earlier one with its key may have been. */
  readonly outcome: 'authorised' | 'declined' | 'too-late';
  readonly at: Date;
}

/** What stands under a key; `isNew`: since this very request. */
export type Standing = Known & { readonly isNew: boolean };

/** A capture of the payment `id`. */
export interface Move {
  readonly id: string;
  readonly key: string;
  readonly at: Date;
}

/** A refund that has arrived. */
export interface NewRefund {
  readonly paymentId: string;
  readonly reference: string;
  readonly key: string;
  readonly amountCents: bigint;
  /** The card's bank takes it; `too-late`: it is not executed any more. */
  readonly outcome: 'accepted' | 'declined' | 'too-late';
  readonly at: Date;
}

/** A refund as the provider has it. */
export interface KnownRefund {
  readonly id: string;
  readonly paymentId: string;
  /** Why it was declined. */
  readonly decline: string | null;
  readonly decidedAt: Date;
}

const KNOWN = `id, reference, token, state, decided_at as "decidedAt", capture_key as "captureKey",
  captured_at as "capturedAt"`;
const KNOWN_REFUND = `id, payment_id as "paymentId", decline, decided_at as "decidedAt"`;

/** In the order of the keys: two replicas' statements must not wait for each other. */
const INSERT = statement(
  'provider_insert',
  `insert into provider.payment
          (id, reference, authorise_key, token, amount_cents, currency, state, decided_at)
   select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[],
                        $8::timestamptz[]) as arrived(id, reference, key, token, amount, currency, state, at)
    order by key
       on conflict (authorise_key) do nothing
   returning id`,
);
const BY_KEY = statement(
  'provider_by_key',
  `select authorise_key as key, ${KNOWN} from provider.payment where authorise_key = any($1::text[])`,
);
const FORGET = statement(
  'provider_forget',
  'update provider.payment set authorise_key = null where authorise_key = $1 and decided_at <= $2',
);
const BY_ID = statement('provider_by_id', `select ${KNOWN} from provider.payment where id = any($1::text[])`);
const BY_REFERENCE = statement(
  'provider_by_reference',
  `select ${KNOWN} from provider.payment where reference = any($1::text[]) order by decided_at, id`,
);
const CAPTURE = statement(
  'provider_capture',
  `update provider.payment set state = 'captured', capture_key = asked.key, captured_at = asked.at
     from unnest($1::text[], $2::text[], $3::timestamptz[]) as asked(id, key, at)
    where payment.id = asked.id and state = 'authorised'
   returning payment.id, capture_key as key`,
);
const LOCK_PAYMENT = statement(
  'provider_lock_payment',
  `select captured_at is not null as captured, amount_cents - refunded_cents as left
     from provider.payment where id = $1 for update`,
);
const REFUND_BY_KEY = statement(
  'provider_refund_by_key',
  `select ${KNOWN_REFUND} from provider.refund where refund_key = $1`,
);
const REFUND_BY_REFERENCE = statement(
  'provider_refund_by_reference',
  `select ${KNOWN_REFUND} from provider.refund where reference = $1 order by decided_at, id limit 1`,
);
/** The money moves in the statement that writes why. */
const REFUND = statement(
  'provider_refund',
  `with written as (
     insert into provider.refund (id, reference, refund_key, payment_id, amount_cents, decline, decided_at)
     values ($1, $2, $3, $4, $5, $6, $7)
     returning payment_id, case when decline is null then amount_cents else 0 end as cents)
   update provider.payment set refunded_cents = refunded_cents + written.cents
     from written where payment.id = written.payment_id`,
);
const FORGET_REFUND = statement(
  'provider_forget_refund',
  'update provider.refund set refund_key = null where refund_key = $1 and decided_at <= $2',
);
const VOID = statement(
  'provider_void',
  `update provider.payment set state = 'voided', voided_at = $2 where reference = $1 and state = 'authorised'
   returning id`,
);
const OVERTAKEN = statement('provider_overtaken', 'insert into provider.overtaken values ($1, $2)');
const FAULT = statement(
  'provider_fault',
  `insert into provider.fault (operation, reference, times) values ($1, $2, 1)
       on conflict (operation, reference) do update set times = fault.times + 1
   returning times`,
);

const group = <T>(rows: readonly T[], key: (row: T) => string): Map<string, T> =>
  new Map(rows.toReversed().map((row) => [key(row), row]));

export class ProviderBooks {
  constructor(private readonly pool: Pool) {}

  /** Writes what has arrived, a key that is known once only; gives what stands under each key now. */
  async arrive(all: readonly NewKnown[]): Promise<readonly (Standing | undefined)[]> {
    const named = all.map((each) => ({ ...each, id: `auth-${randomUUID()}` }));
    const inserted = await this.#insert(named.filter(({ outcome }) => outcome !== 'too-late'));
    const keys = named.filter(({ id }) => !inserted.has(id)).map(({ key }) => key);
    type Keyed = Known & { key: string };
    const others = keys.length === 0 ? [] : await run<Keyed>(this.pool, BY_KEY, [keys]);
    const earlier = group(others, ({ key }) => key);
    return named.map((each): Standing | undefined => {
      if (inserted.has(each.id)) return { ...freshly(each), isNew: true };
      const known = earlier.get(each.key);
      return known && { ...known, isNew: false };
    });
  }

  /** The ids of those whose keys were new. */
  async #insert(arrived: readonly (NewKnown & { readonly id: string })[]): Promise<Set<string>> {
    if (arrived.length === 0) return new Set();
    const inserted = await run<{ id: string }>(this.pool, INSERT, [
      arrived.map(({ id }) => id),
      arrived.map(({ reference }) => reference),
      arrived.map(({ key }) => key),
      arrived.map(({ token }) => token),
      arrived.map(({ amountCents }) => amountCents),
      arrived.map(({ currency }) => currency),
      arrived.map(({ outcome }) => outcome),
      arrived.map(({ at }) => at),
    ]);
    return new Set(inserted.map(({ id }) => id));
  }

  /** From now on the key of a payment that was decided by then is a new one. */
  async forget(key: string, decidedBy: Date): Promise<void> {
    await run(this.pool, FORGET, [key, decidedBy]);
  }

  async byId(ids: readonly string[]): Promise<readonly (Known | undefined)[]> {
    const found = group(await run<Known>(this.pool, BY_ID, [ids]), ({ id }) => id);
    return ids.map((id) => found.get(id));
  }

  /** The first one, where a reference was used for many. */
  async byReference(references: readonly string[]): Promise<readonly (Known | undefined)[]> {
    const found = group(await run<Known>(this.pool, BY_REFERENCE, [references]), (known) => known.reference);
    return references.map((reference) => found.get(reference));
  }

  /** True for each that this very request has captured. */
  async capture(moves: readonly Move[]): Promise<readonly boolean[]> {
    const done = await run<{ id: string; key: string }>(this.pool, CAPTURE, [
      moves.map(({ id }) => id),
      moves.map(({ key }) => key),
      moves.map(({ at }) => at),
    ]);
    const keys = new Map(done.map(({ id, key }) => [id, key]));
    return moves.map(({ id, key }) => keys.get(id) === key);
  }

  /** What stands under a refund's key, and whether since this very request; undefined: it came too late. */
  refund(asked: NewRefund): Promise<(KnownRefund & { readonly isNew: boolean }) | undefined> {
    return this.#transaction(async (client) => {
      type Left = { captured: boolean; left: string };
      const [payment] = await run<Left>(client, LOCK_PAYMENT, [asked.paymentId]);
      const [known] = await run<KnownRefund & Record<string, unknown>>(client, REFUND_BY_KEY, [asked.key]);
      if (known) return { ...known, isNew: false };
      if (asked.outcome === 'too-late') return undefined;
      const { paymentId, reference, key, amountCents, at } = asked;
      const id = `refund-${randomUUID()}`;
      const decline = declineOf(asked, payment);
      await run(client, REFUND, [id, reference, key, paymentId, amountCents, decline, at]);
      return { id, paymentId, decline, decidedAt: at, isNew: true };
    });
  }

  async refundByReference(reference: string): Promise<KnownRefund | undefined> {
    const [known] = await run<KnownRefund & Record<string, unknown>>(this.pool, REFUND_BY_REFERENCE, [
      reference,
    ]);
    return known;
  }

  /** As `forget`. */
  async forgetRefund(key: string, decidedBy: Date): Promise<void> {
    await run(this.pool, FORGET_REFUND, [key, decidedBy]);
  }

  async void(reference: string, at: Date): Promise<void> {
    await run(this.pool, VOID, [reference, at]);
  }

  async overtaken(reference: string, at: Date): Promise<void> {
    await run(this.pool, OVERTAKEN, [reference, at]);
  }

  /** Counts a fault before it happens; gives which one of its kind it is. */
  async fault(operation: Operation, reference: string): Promise<number> {
    const [row] = await run<{ times: number }>(this.pool, FAULT, [operation, reference]);
    return row?.times ?? 0;
  }

  #transaction<T>(fn: (client: PoolClient) => Promise<T>): Promise<T> {
    return withClient(this.pool, async (client) => {
      await client.query('begin');
      try {
        const result = await fn(client);
        await client.query('commit');
        return result;
      } catch (error) {
        await client.query('rollback');
        throw error;
      }
    });
  }
}

function declineOf(
  { outcome, amountCents }: NewRefund,
  payment: { captured: boolean; left: string } | undefined,
): string | null {
  if (!payment?.captured) return 'not-captured';
  if (amountCents > BigInt(payment.left)) return 'more-than-is-left';
  return outcome === 'declined' ? 'refund-declined' : null;
}

function freshly({ id, reference, token, outcome, at }: NewKnown & { readonly id: string }): Known {
  return {
    id,
    reference,
    token,
    state: outcome === 'declined' ? 'declined' : 'authorised',
    decidedAt: at,
    captureKey: null,
    capturedAt: null,
  };
}
