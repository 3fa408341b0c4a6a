import type { SchemaRegistry } from '@aura/contracts';
import type { EventLog } from '@aura/event-log';
import { BrokerSettingsCheck } from '../guards/broker-settings-check.js';
import type { RelayStatus } from '../outbox/relay.js';
import { examine, type FindingSource } from './doctor.js';
import type { Operations } from './operations.js';
import { groupFindings } from './group-findings.js';
import { letterFindings, outsideFindings, relayFindings, replayFindings } from './part-findings.js';

export interface ServiceParts extends Omit<Operations, 'doctor'> {
  /** That this service publishes on. */
  readonly topicNames: readonly string[];
  readonly relayStatus: () => RelayStatus;
  /** Days and budget of outbox and inbox. */
  readonly upkeep: readonly FindingSource[];
  /** Of libs beside the event path: asked for with every look. */
  readonly added: () => readonly FindingSource[];
  readonly log: EventLog;
  readonly registry: SchemaRegistry;
}

/** Everything that an operator may ask of one service, put together from its parts. */
export function serviceOperations(parts: ServiceParts): Operations {
  const { letters, groups, relay, replay, topics, topicNames, relayStatus, log, registry } = parts;
  const sources: readonly FindingSource[] = [
    ...outsideFindings(log, registry),
    relayFindings(relay, relayStatus),
    groupFindings(groups),
    letterFindings(letters),
    replayFindings(replay),
    ...parts.upkeep,
    new BrokerSettingsCheck(log, topicNames),
  ];
  return { letters, groups, relay, replay, topics, doctor: () => examine([...sources, ...parts.added()]) };
}
