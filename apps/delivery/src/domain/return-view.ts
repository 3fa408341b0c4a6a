/** Pure: what somebody is told of a return, from its saga. */
import type { SagaView } from '@aura/saga';
import type { BookingState } from '../entities/slot-booking.entity.js';
import type { ReturnedLine } from './return-price.js';

export interface ReturnRow {
  readonly id: string;
  readonly purchaseId: string;
  readonly items: readonly ReturnedLine[];
  readonly refundCents: number;
  readonly currency: string;
  readonly askedAt: Date;
}

export interface PickUpRow {
  readonly state: BookingState;
  readonly slotId: string;
  readonly startsAt: Date;
  readonly endsAt: Date;
}

export interface ReturnBranchView {
  readonly name: string;
  /** The service that it belongs to. */
  readonly service: string;
  readonly state: string;
  /** What the service wants to be known of it: the provider's name for a refund, for example. */
  readonly reply: unknown;
  /** Why it was refused. */
  readonly refusal: { readonly code: string; readonly reason: string } | null;
}

export interface ReturnView {
  readonly id: string;
  readonly purchaseId: string;
  /** `returning` is on its way to `returned` or `refused`. */
  readonly state: 'returning' | 'returned' | 'refused';
  /** Of what was refused: one sentence that names the branch. */
  readonly why: { readonly branch: string | null; readonly code: string; readonly reason: string } | null;
  /** Why it takes long, where an operator has been told. */
  readonly attention: string | null;
  /** True when every service has acknowledged the decision. */
  readonly settled: boolean;
  readonly items: readonly ReturnedLine[];
  readonly refundCents: number;
  readonly currency: string;
  /** When the parcel is fetched; null where that was forgotten with a database that was put back. */
  readonly pickUp: {
    readonly state: string;
    readonly slotId: string;
    readonly startsAt: string;
    readonly endsAt: string;
  } | null;
  readonly branches: readonly ReturnBranchView[];
  readonly askedAt: string;
  readonly decidedAt: string | null;
}

export function returnView(row: ReturnRow, saga: SagaView, pickUp: PickUpRow | undefined): ReturnView {
  const { id, purchaseId, items, refundCents, currency, askedAt } = row;
  const state = stateOf(saga);
  return {
    id,
    purchaseId,
    state,
    why: state === 'refused' && saga.why ? whyOf(saga.why) : null,
    attention: saga.attention?.text ?? null,
    settled: saga.endedAt !== null,
    items,
    refundCents,
    currency,
    pickUp: pickUp
      ? {
          state: pickUp.state.toLowerCase(),
          slotId: pickUp.slotId,
          startsAt: pickUp.startsAt.toISOString(),
          endsAt: pickUp.endsAt.toISOString(),
        }
      : null,
    branches: saga.branches.map(({ name, owner, state: is, refusal }) => ({
      name,
      service: owner,
      state: is.toLowerCase(),
      reply: saga.replies[name] ?? null,
      refusal: refusal && { code: refusal.code, reason: refusal.text },
    })),
    askedAt: askedAt.toISOString(),
    decidedAt: saga.decidedAt?.toISOString() ?? null,
  };
}

function stateOf({ decidedAt, phase }: SagaView): ReturnView['state'] {
  if (decidedAt === null) return 'returning';
  return phase === 'COMMITTING' || phase === 'COMMITTED' ? 'returned' : 'refused';
}

function whyOf({ branch, code, text }: NonNullable<SagaView['why']>): NonNullable<ReturnView['why']> {
  const isRefusal = branch !== undefined && code !== 'deadline';
  return { branch: branch ?? null, code, reason: isRefusal ? `${branch} said no: ${text}` : text };
}
