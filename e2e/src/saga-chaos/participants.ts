import type { Work } from '@aura/eventing';
import { prepared, refused, type Ask, type Participant, type Vote } from '@aura/saga';
import { pause } from '../service.js';
import type { OwnName, Wanted } from './shop-saga.js';

const PRICE_CENTS = 1_999;
const LATE_MS = 200;

type Phase = (ask: Ask<Wanted>, work: Work) => Promise<unknown>;
type PhaseName = 'prepare' | 'commit' | 'cancel';

const SLOTS: Readonly<Record<PhaseName, Phase>> = {
  prepare: ({ input }, work) =>
    changed(work, 'slot', 'held = held + 1', 'day = $1 and held + booked < capacity', input.what),
  commit: ({ input }, work) =>
    changed(work, 'slot', 'held = held - 1, booked = booked + 1', 'day = $1', input.what),
  cancel: ({ input }, work) => changed(work, 'slot', 'held = held - 1', 'day = $1', input.what),
};

const SQL: Readonly<Record<OwnName, Readonly<Record<PhaseName, Phase>>>> = {
  stock: {
    prepare: ({ input }, work) =>
      changed(work, 'item', 'on_hand = on_hand - 1, held = held + 1', 'sku = $1 and on_hand > 0', input.what),
    commit: ({ input }, work) =>
      changed(work, 'item', 'held = held - 1, sold = sold + 1', 'sku = $1', input.what),
    cancel: ({ input }, work) =>
      changed(work, 'item', 'held = held - 1, on_hand = on_hand + 1', 'sku = $1', input.what),
  },
  money: {
    prepare: (ask, work) => moved(ask, work, 'customer', 'held'),
    commit: (ask, work) => moved(ask, work, 'held', 'shop'),
    cancel: (ask, work) => moved(ask, work, 'held', 'customer'),
  },
  slots: SLOTS,
  tailor: SLOTS,
};

/** Nothing here knows of late, repeated or overtaken asks: that is the barrier's. `by`: which replica. */
export function participantOf(name: OwnName, by: string): Participant<Wanted> {
  const { prepare, commit, cancel } = SQL[name];
  const noted = ({ sagaId }: Ask, work: Work, what: string): Promise<unknown> =>
    work.manager.query('insert into effect (saga_id, what, by) values ($1, $2, $3)', [sagaId, what, by]);
  const plain: Participant<Wanted> = {
    async prepare(ask, work): Promise<Vote> {
      if (!(await prepare(ask, work))) return refused('sold-out', `${ask.input.what} is sold out`);
      await noted(ask, work, 'HELD');
      return prepared({ holds: ask.input.what });
    },
    async commit(ask, work) {
      await commit(ask, work);
      await noted(ask, work, 'TAKEN');
    },
    async cancel(ask, work) {
      await cancel(ask, work);
      await noted(ask, work, 'GIVEN BACK');
    },
  };
  if (name === 'stock') return { ...plain, lockAll };
  return name === 'tailor' ? slow(plain) : plain;
}

/** Two replicas change the same few rows: without an order they would deadlock. */
async function lockAll(asks: readonly Ask<Wanted>[], work: Work): Promise<void> {
  const skus = asks.map(({ input }) => input.what);
  await work.manager.query('select from item where sku = any($1) order by sku for no key update', [skus]);
}

/** Asked in time, but mostly says yes when the deadline has passed. */
function slow(plain: Participant<Wanted>): Participant<Wanted> {
  return {
    ...plain,
    async prepareAll(asks, work) {
      const soonest = Math.min(...asks.map(({ deadline }) => deadline.getTime()));
      if (Math.random() < 0.75) await pause(Math.max(0, soonest + LATE_MS - Date.now()));
      const votes: Vote[] = [];
      for (const ask of asks) votes.push(await plain.prepare(ask, work.of(ask)));
      return votes;
    },
  };
}

/** False: there is no such row, or not enough of it. */
async function changed(
  work: Work,
  table: string,
  set: string,
  where: string,
  value: string,
): Promise<boolean> {
  const sql = `with changed as (update ${table} set ${set} where ${where} returning 1)
    select count(*)::int as count from changed`;
  const [row] = await work.manager.query<[{ count: number }]>(sql, [value]);
  return row.count === 1;
}

async function moved({ sagaId }: Ask, work: Work, from: string, to: string): Promise<boolean> {
  const sql = `insert into entry values ($1, $2, -$4::int), ($1, $3, $4::int)`;
  await work.manager.query(sql, [sagaId, from, to, PRICE_CENTS]);
  return true;
}
