import type { TopicSettings } from '@aura/event-log';
import { expect, it } from 'vitest';
import { brokerFindings } from './broker-settings.js';

const production: TopicSettings = {
  partitions: 12,
  brokers: 3,
  replicationFactor: 3,
  inSyncReplicas: 3,
  minInsyncReplicas: 2,
  uncleanLeaderElection: false,
  cleanupPolicy: 'delete',
  retentionMs: 604_800_000,
  retentionBytes: undefined,
  maxMessageBytes: 1_048_588,
};
const found = (settings: Partial<TopicSettings>, partitions?: number): string[] => {
  const { replicationFactor: inSyncReplicas = production.inSyncReplicas } = settings;
  const looked = { ...production, inSyncReplicas, ...settings };
  return brokerFindings('shop.events', looked, partitions ? { partitions } : {}).map(
    ({ code, severity }) => `${severity} ${code}`,
  );
};

it('H30: finds nothing where the brokers keep the promise', () => {
  expect(found({}, 12)).toEqual([]);
  expect(found({ retentionMs: undefined })).toEqual([]);
});

it.each<[string, Partial<TopicSettings>]>([
  ['alarm replication-low', { replicationFactor: 2, minInsyncReplicas: 2 }],
  ['alarm min-insync-low', { minInsyncReplicas: 1 }],
  ['warning min-insync-high', { minInsyncReplicas: 3 }],
  ['warning copies-behind', { inSyncReplicas: 2 }],
  ['alarm copies-behind', { inSyncReplicas: 1 }],
  ['alarm unclean-election', { uncleanLeaderElection: true }],
  ['alarm cleanup-not-delete', { cleanupPolicy: 'compact,delete' }],
  ['warning retention-short', { retentionMs: 3_600_000 }],
  ['warning retention-by-size', { retentionBytes: 1_000_000 }],
  ['alarm message-limit-low', { maxMessageBytes: 500_000 }],
])('H30: %s', (finding, settings) => {
  expect(found(settings)).toContain(finding);
});

it('H30: says that a topic has other partitions than it was meant to have', () => {
  expect(found({ partitions: 6 }, 12)).toEqual(['warning partitions-differ']);
});

it('H30: one broker is a development machine: a warning, but what loses events there too is an alarm', () => {
  const one = { brokers: 1, replicationFactor: 1, minInsyncReplicas: 1 };
  expect(found(one)).toEqual(['warning single-broker']);
  expect(found({ ...one, uncleanLeaderElection: true })).toEqual([
    'alarm unclean-election',
    'warning single-broker',
  ]);
});

it('H30: a broker that is down does not make a cluster a development machine', () => {
  expect(found({ brokers: 2, replicationFactor: 1, minInsyncReplicas: 1 })).toEqual([
    'alarm replication-low',
    'alarm min-insync-low',
  ]);
});

it('does not ask for copies where the log has none', () => {
  const postgres = {
    brokers: undefined,
    replicationFactor: undefined,
    inSyncReplicas: undefined,
    minInsyncReplicas: undefined,
    uncleanLeaderElection: undefined,
  };
  expect(found(postgres)).toEqual([]);
});

it('says what was found, of which topic, and what to do', () => {
  const [finding] = brokerFindings('shop.events', { ...production, minInsyncReplicas: 1 });
  expect(finding).toMatchObject({ subject: 'shop.events', severity: 'alarm' });
  expect(finding?.words).toContain('min.insync.replicas=2');
});
