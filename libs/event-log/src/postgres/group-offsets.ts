/**
 * Where the groups are, as the log remembers it. Like Kafka's committed offsets: written some seconds late,
 * for tools that show lag and for a service whose database has forgotten its group. No reader starts from it.
 *
 * - F1 only the owner of a partition writes its row: a member that was expelled changes nothing.
 */
import { type Queryable, run, statement } from '@aura/platform';
import type { PartitionOffset, Position } from '../event-log.js';
import type { Database } from './database.js';
import type { Member } from './groups.js';

const SAVE = statement(
  'group_offset_upsert',
  `insert into aura_log.group_offset as o (consumer_group, topic, partition, next)
   select a.consumer_group, a.topic, a.partition, m.next
     from unnest($3::text[], $4::int[], $5::bigint[]) as m(topic, partition, next)
     join aura_log.assignment a
       on a.consumer_group = $1 and a.topic = m.topic and a.partition = m.partition and a.owner = $2::uuid
    order by a.topic, a.partition
       on conflict (consumer_group, topic, partition) do update set next = excluded.next`,
);
const READ = statement(
  'group_offset_select_topic',
  `select partition, next from aura_log.group_offset
    where consumer_group = $1 and topic = $2 order by partition`,
);

/** What one member has moved since it last wrote it down. */
export class MovedOffsets {
  #moved = new Map<string, Position>();

  note(position: Position): void {
    this.#moved.set(`${position.topic}/${position.partition}`, position);
  }

  /** Writes it down, as far as `member` still owns it. No statement where nothing has moved. */
  async save(database: Database, member: Member): Promise<void> {
    if (this.#moved.size === 0) return;
    const moved = this.#moved;
    this.#moved = new Map();
    const positions = [...moved.values()];
    try {
      await database.use('write down the group’s offsets', (client) =>
        run(client, SAVE, [
          member.group,
          member.id,
          positions.map((p) => p.topic),
          positions.map((p) => p.partition),
          positions.map((p) => p.offset),
        ]),
      );
    } catch (error) {
      this.#moved = new Map([...moved, ...this.#moved]);
      throw error;
    }
  }
}

export async function readGroupOffsets(
  client: Queryable,
  group: string,
  topic: string,
): Promise<PartitionOffset[]> {
  const rows = await run<{ partition: number; next: string }>(client, READ, [group, topic]);
  return rows.map(({ partition, next }) => ({ partition, offset: BigInt(next) }));
}
