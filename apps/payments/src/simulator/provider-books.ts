/** The simulated provider's own statements, each of them a transaction of its own. */
import { randomUUID } from 'node:crypto';
import { run, statement } from '@aura/platform';
import type { Pool } from 'pg';
import type { Operation } from './behaviour.js';

export type State = 'declined' | 'authorised' | 'captured' | 'voided' | 'refunded';

/** A payment as the provider has it. */
export interface Known {
  readonly id: string;
  readonly reference: string;
  readonly token: string;
  readonly state: State;
  readonly decidedAt: Date;
  readonly captureKey: string | null;
  readonly capturedAt: Date | null;
  readonly refundKey: string | null;
  readonly refundedAt: Date | null;
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

/** A capture or a refund of the payment `id`. */
export interface Move {
  readonly id: string;
  readonly key: string;
  readonly at: Date;
}

const KNOWN = `id, reference, token, state, decided_at as "decidedAt", capture_key as "captureKey",
  captured_at as "capturedAt", refund_key as "refundKey", refunded_at as "refundedAt"`;

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
const REFUND = statement(
  'provider_refund',
  `update provider.payment set state = 'refunded', refund_key = $2, refunded_at = $3
    where id = $1 and state = 'captured'
   returning id`,
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

  async refund({ id, key, at }: Move): Promise<boolean> {
    return (await run(this.pool, REFUND, [id, key, at])).length === 1;
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
    refundKey: null,
    refundedAt: null,
  };
}
