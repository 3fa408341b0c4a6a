/**
 * Why: the log remembers where its groups are, as Kafka does: a service whose database was lost can tell that
 * its group is not new. Locks: creates only, none that anybody waits for.
 */
export const groupOffsets = {
  id: 2,
  name: '0002-group-offsets',
  sql: `
create table aura_log.group_offset (
  consumer_group text not null references aura_log.consumer_group,
  topic          text not null,
  partition      integer not null,
  next           bigint not null check (next >= 0),
  primary key (consumer_group, topic, partition)
) with (fillfactor = 50);  -- updated in place while its group moves`,
} as const;
