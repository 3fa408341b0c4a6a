import type { TopicSettings } from '@aura/event-log';

/** Copies of which a record must be acknowledged by two: one broker may be lost, and nothing is (H30). */
const MIN_INSYNC = 2;

/**
 * Pure: what of a topic differs from what was asked for and from what the promise needs, in words with what
 * to do. What the log has not got (copies, in Postgres) can't differ.
 */
export function topicDifferences(
  { partitions, replicationFactor, minInsyncReplicas, uncleanLeaderElection, cleanupPolicy }: TopicSettings,
  wanted: { readonly partitions?: number; readonly replicationFactor: number },
): string[] {
  const found: string[] = [];
  if (wanted.partitions !== undefined && partitions !== wanted.partitions)
    found.push(
      `${partitions} partitions, not ${wanted.partitions}: left as it is, because other partitions would ` +
        'break the order of keys; a drained topic can be made anew',
    );
  if (replicationFactor !== undefined && replicationFactor < wanted.replicationFactor)
    found.push(
      `replication ${replicationFactor}, not ${wanted.replicationFactor}: ` +
        'reassign its partitions with kafka-reassign-partitions',
    );
  // With one copy there is nothing to wait for: the replication is what has to be mended.
  const wantedInsync = Math.min(MIN_INSYNC, wanted.replicationFactor);
  if (minInsyncReplicas !== undefined && minInsyncReplicas < wantedInsync)
    found.push(
      `min.insync.replicas ${minInsyncReplicas}, not ${wantedInsync}: ` +
        `set it with kafka-configs --add-config min.insync.replicas=${wantedInsync}`,
    );
  if (uncleanLeaderElection === true)
    found.push(
      'unclean leader election is on, so acknowledged records may be lost: ' +
        'set it with kafka-configs --add-config unclean.leader.election.enable=false',
    );
  if (cleanupPolicy !== 'delete')
    found.push(
      `cleanup.policy ${cleanupPolicy}, not delete: compaction drops events of a key; ` +
        'set it with kafka-configs --add-config cleanup.policy=delete',
    );
  return found;
}
