/** Pure: what has moved in a purchase between two looks at it, in words. */

export interface Branch {
  readonly name: string;
  readonly service: string;
  readonly state: string;
  readonly reply: unknown;
  readonly refusal: { readonly code: string; readonly reason: string } | null;
}

/** Checkout's answer, as far as the demo shows it. */
export interface Purchase {
  readonly id: string;
  readonly state: 'buying' | 'bought' | 'refused' | 'cancelled';
  readonly why: { readonly branch: string | null; readonly code: string; readonly reason: string } | null;
  readonly settled: boolean;
  readonly lines: readonly {
    readonly sku: string;
    readonly size: string;
    readonly quantity: number;
    readonly name: string;
    readonly priceCents: number;
  }[];
  readonly totalCents: number;
  readonly currency: string;
  readonly branches: readonly Branch[];
  readonly decidedAt: string | null;
}

export interface PurchaseStep {
  /** A branch, or `purchase` for the whole. */
  readonly what: string;
  readonly service: string;
  readonly state: string;
  readonly words: string;
  /** When it was seen, since the purchase was asked for. */
  readonly ms: number;
}

/** Words for a branch by what it reached. Whatever was held is a promise until the decision. */
const WORDS: Readonly<Record<string, Readonly<Record<string, (it: Purchase, branch: Branch) => string>>>> = {
  prepared: {
    stock: ({ lines }) => `held: ${pieces(lines)} put aside`,
    payment: (it) => `held: ${money(it.totalCents, it.currency)} authorised`,
    delivery: (_, { reply }) => `held: ${slotText(reply)}`,
  },
  committed: {
    stock: ({ lines }) => `${pieces(lines)} sold`,
    payment: (it) => `${money(it.totalCents, it.currency)} taken`,
    delivery: () => 'slot booked',
  },
  cancelled: {
    stock: () => 'nothing is put aside any more',
    payment: () => 'no money is held any more',
    delivery: () => 'no slot is held any more',
  },
};

/** Branches that were not asked for anything yet are no news. */
const SILENT = new Set(['waiting', 'asked']);

const isVote = ({ state }: Branch): boolean => state === 'prepared' || state === 'refused';

/** In the order in which it can only have happened: votes, the decision, what came of it, the end. */
export function stepsBetween(before: Purchase | undefined, now: Purchase, ms: number): PurchaseStep[] {
  const moved = now.branches.filter(
    ({ name, state }) =>
      !SILENT.has(state) && before?.branches.find((old) => old.name === name)?.state !== state,
  );
  const steps = (branches: readonly Branch[]): PurchaseStep[] =>
    branches.map((branch) => ({
      what: branch.name,
      service: branch.service,
      state: branch.state,
      words: branch.refusal?.reason ?? WORDS[branch.state]?.[branch.name]?.(now, branch) ?? '',
      ms,
    }));
  const ofAll = (state: string, words: string): PurchaseStep => ({
    what: 'purchase',
    service: 'checkout',
    state,
    words,
    ms,
  });
  const decided = (before?.state ?? 'buying') === 'buying' && now.state !== 'buying';
  const settled = now.settled && before?.settled !== true;
  return [
    ...steps(moved.filter(isVote)),
    ...(decided ? [ofAll(now.state, `decided${now.why ? `: ${now.why.reason}` : ''}`)] : []),
    ...steps(moved.filter((branch) => !isVote(branch))),
    ...(settled ? [ofAll('settled', 'every service has done its part')] : []),
  ];
}

export function money(cents: number, currency: string): string {
  return `${(cents / 100).toFixed(2)} ${currency}`;
}

/** A delivery's reply, as a person says it; the times are UTC. */
export function slotText(reply: unknown): string {
  const { startsAt, endsAt } = (reply ?? {}) as { startsAt?: string; endsAt?: string };
  if (!startsAt || !endsAt) return 'a slot';
  const day = new Date(startsAt).toLocaleDateString('en-GB', {
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    timeZone: 'UTC',
  });
  return `${day}, ${startsAt.slice(11, 16)} to ${endsAt.slice(11, 16)} UTC`;
}

function pieces(lines: Purchase['lines']): string {
  const count = lines.reduce((sum, { quantity }) => sum + quantity, 0);
  return `${count} ${count === 1 ? 'piece' : 'pieces'}`;
}
