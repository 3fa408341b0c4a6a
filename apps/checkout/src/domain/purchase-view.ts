/** Pure: what a buyer is told of a purchase, from its saga. */
import type { SagaView } from '@aura/saga';
import type { PurchaseLine } from '../entities/purchase.entity.js';

/** `buying` and `cancelling` are on their way to `bought` and `refused` or `cancelled`. */
export type PurchaseState = 'buying' | 'bought' | 'refused' | 'cancelled';

export interface BranchView {
  readonly name: string;
  /** The service that it belongs to. */
  readonly service: string;
  readonly state: string;
  /** What the service wants to be known of it: a delivery slot, for example. */
  readonly reply: unknown;
  /** Why it was refused. */
  readonly refusal: { readonly code: string; readonly reason: string } | null;
}

export interface ReturnView {
  readonly id: string;
  readonly items: readonly { readonly sku: string; readonly size: string; readonly quantity: number }[];
  readonly refundCents: number;
  readonly currency: string;
  readonly noticedAt: string;
}

export interface PurchaseView {
  readonly id: string;
  readonly state: PurchaseState;
  /** Of what was refused or cancelled: one sentence that names the branch. */
  readonly why: { readonly branch: string | null; readonly code: string; readonly reason: string } | null;
  /** True when every service has acknowledged the decision. */
  readonly settled: boolean;
  readonly lines: readonly PurchaseLine[];
  readonly totalCents: number;
  readonly currency: string;
  readonly branches: readonly BranchView[];
  /** What its buyer was told of returns, the first one first. */
  readonly returns: readonly ReturnView[];
  readonly askedAt: string;
  readonly decidedAt: string | null;
}

export interface PurchaseRow {
  readonly id: string;
  readonly lines: readonly PurchaseLine[];
  readonly totalCents: number;
  readonly currency: string;
  readonly askedAt: Date;
}

export interface NoticeRow extends Omit<ReturnView, 'id' | 'noticedAt'> {
  readonly returnId: string;
  readonly noticedAt: Date;
}

export function purchaseView(
  purchase: PurchaseRow,
  saga: SagaView,
  notices: readonly NoticeRow[] = [],
): PurchaseView {
  const { id, lines, totalCents, currency, askedAt } = purchase;
  const aborted = saga.decidedAt !== null && saga.why !== null;
  return {
    id,
    state: stateOf(saga),
    why: aborted && saga.why ? whyOf(saga.why) : null,
    settled: saga.endedAt !== null,
    lines,
    totalCents,
    currency,
    branches: saga.branches.map(({ name, owner, state, refusal }) => ({
      name,
      service: owner,
      state: state.toLowerCase(),
      reply: saga.replies[name] ?? null,
      refusal: refusal && { code: refusal.code, reason: refusal.text },
    })),
    returns: notices.map(({ returnId, items, refundCents, currency: paidIn, noticedAt }) => ({
      id: returnId,
      items,
      refundCents,
      currency: paidIn,
      noticedAt: noticedAt.toISOString(),
    })),
    askedAt: askedAt.toISOString(),
    decidedAt: saga.decidedAt?.toISOString() ?? null,
  };
}

function stateOf({ decidedAt, phase, why }: SagaView): PurchaseState {
  if (decidedAt === null) return 'buying';
  if (phase === 'COMMITTING' || phase === 'COMMITTED') return 'bought';
  return why?.code === 'cancelled' ? 'cancelled' : 'refused';
}

function whyOf({ branch, code, text }: NonNullable<SagaView['why']>): NonNullable<PurchaseView['why']> {
  const isRefusal = branch !== undefined && code !== 'deadline';
  return { branch: branch ?? null, code, reason: isRefusal ? `${branch} said no: ${text}` : text };
}
