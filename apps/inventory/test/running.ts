import { UnitsOfWork, type Work } from '@aura/eventing';
import { silentLogger } from '@aura/platform';
import type { Ask } from '@aura/saga';
import type { Restock, StockHold } from '@aura/schemas';
import { startService, type RunningService } from '@aura/service';
import { testDatabase } from '@aura/testing';
import type { Client } from 'pg';
import { randomUUID } from 'node:crypto';
import { inventory } from '../src/inventory.js';
import { RestockParticipant } from '../src/stock/restock-participant.js';
import { StockParticipant } from '../src/stock/stock-participant.js';

export interface RunningInventory {
  readonly service: RunningService;
  readonly db: Client;
  readonly logUrl: string;
  /** Another connection to its database. */
  readonly connect: () => Promise<Client>;
  readonly participant: StockParticipant;
  readonly restocking: RestockParticipant;
  /** A transaction of the service. */
  readonly transact: <T>(fn: (work: Work) => Promise<T>) => Promise<T>;
  /** Starts it again on the same database. */
  readonly restart: () => Promise<void>;
  readonly end: () => Promise<void>;
}

/** The real service, with databases of its own. */
export async function runningInventory(environment: Record<string, string> = {}): Promise<RunningInventory> {
  const [own, log] = [await testDatabase('inventory'), await testDatabase('log')];
  const start = (): Promise<RunningService> =>
    startService({
      ...inventory,
      logger: silentLogger,
      port: 0,
      environment: {
        AURA_DATABASE_URL: own.url,
        AURA_LOG_URL: log.url,
        AURA_CREATE_TOPICS: 'true',
        ...environment,
      },
    });
  let service = await start();
  return {
    get service() {
      return service;
    },
    db: await own.client(),
    logUrl: log.url,
    connect: () => own.client(),
    get participant() {
      return service.app.get(StockParticipant);
    },
    get restocking() {
      return service.app.get(RestockParticipant);
    },
    transact: (fn) => service.app.get(UnitsOfWork).run(fn),
    restart: async () => {
      await service.stop();
      service = await start();
    },
    end: async () => {
      await service.stop();
      await own.drop();
      await log.drop();
    },
  };
}

export type Item = StockHold['items'][number];

/** `item('SHI-101-WHT', 'M')`: one piece. */
export const item = (sku: string, size: string, quantity = 1): Item => ({ sku, size, quantity });

/** An ask of a saga of its own. */
export function ask(...items: Item[]): Ask<StockHold> {
  return {
    sagaId: randomUUID(),
    branch: 'stock',
    coordinator: 'checkout',
    input: { items },
    deadline: new Date(Date.now() + 60_000),
  };
}

/** An ask of a return, of pieces that were sold to `sold`. */
export function returning(sold: Pick<Ask, 'sagaId'>, ...items: Item[]): Ask<Restock> {
  return {
    sagaId: randomUUID(),
    branch: 'restock',
    coordinator: 'delivery',
    input: { purchaseId: sold.sagaId, items },
    deadline: new Date(Date.now() + 60_000),
  };
}

/** Makes it so that `pieces` are on hand, and none held or sold. */
export async function stockUp(db: Client, sku: string, size: string, pieces: number): Promise<void> {
  const { rowCount } = await db.query(
    `update stock set on_hand = $3, in_return = 0, held = 0, sold = 0, received = $3
      where sku = $1 and size = $2`,
    [sku, size, pieces],
  );
  if (rowCount !== 1) throw new Error(`there is no ${sku} in size ${size}`);
}

/** `[on hand, held, sold, received]` */
export async function counts(db: Client, sku: string, size: string): Promise<number[]> {
  const { rows } = await db.query<Record<string, number>>(
    'select on_hand, held, sold, received from stock where sku = $1 and size = $2',
    [sku, size],
  );
  return Object.values(rows[0] ?? {});
}

/** S5 across the tables: rows of stock that differ from what the holds and the restocks say. */
export async function unbalanced(db: Client): Promise<object[]> {
  const { rows } = await db.query(`
    with said as (
      select line.sku, line.size,
             sum(line.quantity) filter (where state = 'HELD') as held,
             sum(line.quantity) filter (where state = 'SOLD') as sold
        from stock_hold, jsonb_to_recordset(lines) as line(sku text, size text, quantity int)
       group by line.sku, line.size),
    back as (
      select line.sku, line.size,
             sum(line.quantity) filter (where state = 'RESTOCKED') as open,
             sum(line.quantity) filter (where state <> 'UNDONE') as returned
        from restock, jsonb_to_recordset(lines) as line(sku text, size text, quantity int)
       group by line.sku, line.size)
    select s.sku, s.size, s.held, s.sold, s.in_return, said.held as "heldByHolds", said.sold as "soldByHolds",
           back.open, back.returned
      from stock s
      full join said on said.sku = s.sku and said.size = s.size
      left join back on back.sku = s.sku and back.size = s.size
     where s.sku is null or s.held <> coalesce(said.held, 0) or s.in_return <> coalesce(back.open, 0)
        or s.sold <> coalesce(said.sold, 0) - coalesce(back.returned, 0)`);
  return rows;
}
