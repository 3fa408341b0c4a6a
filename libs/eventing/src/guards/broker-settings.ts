/**
 * Pure. What the promise needs of the brokers behind a topic: nothing acknowledged is lost with one of them
 * (H30), and nothing that is kept is taken away before its time.
 *
 * What the log has not got (copies, in Postgres) is not looked at.
 */
import type { TopicSettings } from '@aura/event-log';
import type { Finding } from '../operations/operations.js';

export interface BrokerNeeds {
  /** Copies of each record. Default 3: one may be lost while another is being replaced. */
  readonly replicationFactor?: number;
  /** Copies that a record must have before it is acknowledged. Default 2: one of them may be lost. */
  readonly minInsyncReplicas?: number;
  /** Partitions that the topic was meant to have; left out: any. */
  readonly partitions?: number;
  /** Records must be kept this long for readers that are down (ms). Default: a day. */
  readonly minRetentionMs?: number;
  /** Largest record that the service may publish, bytes. Default 1,000,000, as the log's adapter. */
  readonly maxRecordBytes?: number;
}

const DEFAULTS = {
  replicationFactor: 3,
  minInsyncReplicas: 2,
  minRetentionMs: 86_400_000,
  maxRecordBytes: 1_000_000,
};
const HOUR_MS = 3_600_000;

/**
 * What of a topic falls short, alarms first. A cluster of one broker can keep no copies: that is a
 * development machine, and what follows from it is one warning instead of alarms.
 */
export function brokerFindings(topic: string, settings: TopicSettings, needs: BrokerNeeds = {}): Finding[] {
  const wanted = { ...DEFAULTS, ...needs };
  const copies = settings.brokers === 1 ? singleBroker(settings) : copiesOf(settings, wanted);
  const found = [
    ...copies,
    ...elections(settings),
    ...retention(settings, wanted.minRetentionMs),
    ...shape(settings, wanted),
  ];
  return found
    .map((finding) => ({ ...finding, subject: topic, command: undefined }))
    .toSorted((a, b) => Number(b.severity === 'alarm') - Number(a.severity === 'alarm'));
}

type Found = Pick<Finding, 'code' | 'severity' | 'words'>;

const alter = (setting: string): string => `set it with kafka-configs --alter --add-config ${setting}`;

function singleBroker({ replicationFactor }: TopicSettings): Found[] {
  return [
    {
      code: 'single-broker',
      severity: 'warning',
      words:
        `one broker holds ${replicationFactor === 1 ? 'the only copy of' : 'all of'} this topic: ` +
        'enough for development; in production its loss is the loss of every event that is in it',
    },
  ];
}

function copiesOf(
  { replicationFactor, inSyncReplicas = replicationFactor, minInsyncReplicas }: TopicSettings,
  wanted: typeof DEFAULTS & BrokerNeeds,
): Found[] {
  const found: Found[] = [];
  if (replicationFactor === undefined || inSyncReplicas === undefined) return found;
  if (minInsyncReplicas === undefined) return found;
  if (replicationFactor < wanted.replicationFactor)
    found.push({
      code: 'replication-low',
      severity: 'alarm',
      words:
        `replication ${replicationFactor}, not ${wanted.replicationFactor}: a broker that is lost may take ` +
        'events with it; reassign the partitions with kafka-reassign-partitions',
    });
  if (inSyncReplicas < replicationFactor)
    found.push({
      code: 'copies-behind',
      severity: inSyncReplicas < minInsyncReplicas ? 'alarm' : 'warning',
      words:
        `${inSyncReplicas} of ${replicationFactor} copies are in step: a broker is down or behind; below ` +
        `${minInsyncReplicas} nothing is published, and events wait in the outbox`,
    });
  if (minInsyncReplicas < wanted.minInsyncReplicas)
    found.push({
      code: 'min-insync-low',
      severity: 'alarm',
      words:
        `min.insync.replicas ${minInsyncReplicas}, not ${wanted.minInsyncReplicas}: an event counts as ` +
        'published with so few copies, and is lost with them; ' +
        alter(`min.insync.replicas=${wanted.minInsyncReplicas}`),
    });
  else if (minInsyncReplicas >= replicationFactor)
    found.push({
      code: 'min-insync-high',
      severity: 'warning',
      words:
        `min.insync.replicas ${minInsyncReplicas} with replication ${replicationFactor}: one broker that ` +
        `restarts stops publishing; ${alter(`min.insync.replicas=${replicationFactor - 1}`)}`,
    });
  return found;
}

function elections({ uncleanLeaderElection }: TopicSettings): Found[] {
  if (uncleanLeaderElection !== true) return [];
  return [
    {
      code: 'unclean-election',
      severity: 'alarm',
      words:
        'unclean leader election is on: a copy that lacks acknowledged events may take over, and they are ' +
        `gone; ${alter('unclean.leader.election.enable=false')}`,
    },
  ];
}

function retention(
  { cleanupPolicy, retentionMs, retentionBytes }: TopicSettings,
  minRetentionMs: number,
): Found[] {
  const found: Found[] = [];
  if (cleanupPolicy !== 'delete')
    found.push({
      code: 'cleanup-not-delete',
      severity: 'alarm',
      words:
        `cleanup.policy ${cleanupPolicy}, not delete: compaction drops the older events of a key; ` +
        alter('cleanup.policy=delete'),
    });
  if (retentionMs !== undefined && retentionMs < minRetentionMs)
    found.push({
      code: 'retention-short',
      severity: 'warning',
      words:
        `events are kept for ${hours(retentionMs)}, not ${hours(minRetentionMs)}: a reader that is away ` +
        `longer stops, and needs a replay; ${alter(`retention.ms=${minRetentionMs}`)}`,
    });
  if (retentionBytes !== undefined)
    found.push({
      code: 'retention-by-size',
      severity: 'warning',
      words:
        `a partition keeps ${retentionBytes} bytes at most: a burst can push out events that a reader has ` +
        `not read; ${alter('retention.bytes=-1')}, and bound the time instead`,
    });
  return found;
}

function shape(
  { partitions, maxMessageBytes }: TopicSettings,
  wanted: typeof DEFAULTS & BrokerNeeds,
): Found[] {
  const found: Found[] = [];
  if (maxMessageBytes < wanted.maxRecordBytes)
    found.push({
      code: 'message-limit-low',
      severity: 'alarm',
      words:
        `max.message.bytes ${maxMessageBytes}, but events may have ${wanted.maxRecordBytes}: one between ` +
        `them is refused, and its key parked at the relay; ${alter(`max.message.bytes=1048588`)}`,
    });
  if (wanted.partitions !== undefined && partitions !== wanted.partitions)
    found.push({
      code: 'partitions-differ',
      severity: 'warning',
      words:
        `${partitions} partitions, not ${wanted.partitions}: left as it is, because another number would ` +
        'move keys and break their order; a drained topic can be made anew',
    });
  return found;
}

const hours = (ms: number): string => `${Math.round((ms / HOUR_MS) * 10) / 10} h`;
