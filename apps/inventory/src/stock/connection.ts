import type { Work } from '@aura/eventing';
import type { Queryable } from '@aura/platform';

/** The driver's own client of this transaction: named statements are prepared once per connection. */
export async function connectionOf({ manager }: Work): Promise<Queryable> {
  return (await manager.queryRunner?.connect()) as Queryable;
}
