/** A small depot: its laws are CHECKs, so that a test fails where a branch is carried out twice. */
import type { Work } from '@aura/eventing';
import { prepared, refused, type Ask, type Participant, type Vote } from '../src/participant/participant.js';
import type { Wanted } from './participant-fixture.js';

export const DEPOT = `
create table stock (
  sku text primary key,
  free int not null check (free >= 0),
  held int not null default 0 check (held >= 0),
  sold int not null default 0 check (sold >= 0)
);
create table hold (
  saga_id uuid, branch text, sku text not null, pieces int not null,
  state text not null check (state in ('held', 'sold', 'freed')),
  primary key (saga_id, branch)
);
insert into stock (sku, free) select 'sku-' || i, 10 from generate_series(0, 9) i;
`;

export class Depot implements Participant<Wanted> {
  /** The methods that were called, in order. */
  readonly calls: string[] = [];
  /** Thrown by what is called next, by method; removed by the test. */
  readonly faults = new Map<string, (ask: Ask<Wanted>) => Error | undefined>();

  async prepare(ask: Ask<Wanted>, work: Work): Promise<Vote> {
    const { sku, pieces } = ask.input;
    this.note('prepare', ask);
    await work.manager.query(`insert into hold values ($1, $2, $3, $4, 'held')`, [...idOf(ask), sku, pieces]);
    this.fail('prepare', ask);
    const moved = await work.manager.query(
      'update stock set free = free - $2, held = held + $2 where sku = $1 and free >= $2 returning sku',
      [sku, pieces],
    );
    if (moved[1] === 1) return prepared({ sku });
    await work.manager.query('delete from hold where saga_id = $1 and branch = $2', idOf(ask));
    return refused('sold-out', `${sku} is sold out`);
  }

  commit(ask: Ask<Wanted>, work: Work): Promise<void> {
    return this.end('commit', ask, work, 'sold');
  }

  cancel(ask: Ask<Wanted>, work: Work): Promise<void> {
    return this.end('cancel', ask, work, 'freed');
  }

  protected async end(method: string, ask: Ask<Wanted>, work: Work, state: string): Promise<void> {
    this.note(method, ask);
    const [rows] = await work.manager.query(
      `update hold set state = $3 where saga_id = $1 and branch = $2 and state = 'held'
       returning sku, pieces`,
      [...idOf(ask), state],
    );
    if (rows.length !== 1) throw new Error(`${ask.branch} of ${ask.sagaId} is not held`);
    this.fail(method, ask);
    const { sku, pieces } = rows[0] as Wanted;
    const to = state === 'sold' ? 'sold' : 'free';
    await work.manager.query(`update stock set held = held - $2, ${to} = ${to} + $2 where sku = $1`, [
      sku,
      pieces,
    ]);
  }

  protected note(method: string, { sagaId, branch }: Ask<Wanted>): void {
    this.calls.push(`${method} ${sagaId}/${branch}`);
  }

  protected fail(method: string, ask: Ask<Wanted>): void {
    const error = this.faults.get(method)?.(ask);
    if (error) throw error;
  }
}

function idOf({ sagaId, branch }: Ask): [string, string] {
  return [sagaId, branch];
}
