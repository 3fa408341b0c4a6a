import type { SchemaRegistry } from '@aura/contracts';
import type { EventLog } from '@aura/event-log';
import type { RelayStatus } from '../outbox/relay.js';
import { examine, type FindingSource } from './doctor.js';
import type { Operations } from './operations.js';
import {
  groupFindings,
  letterFindings,
  outsideFindings,
  relayFindings,
  replayFindings,
} from './part-findings.js';

export interface ServiceParts extends Omit<Operations, 'doctor' | 'topics'> {
  readonly topics: Operations['topics'] & FindingSource;
  readonly relayStatus: () => RelayStatus;
  readonly log: EventLog;
  readonly registry: SchemaRegistry;
}

/** Everything that an operator may ask of one service, put together from its parts. */
export function serviceOperations(parts: ServiceParts): Operations {
  const { letters, groups, relay, replay, topics, relayStatus, log, registry } = parts;
  const sources: readonly FindingSource[] = [
    ...outsideFindings(log, registry),
    relayFindings(relay, relayStatus),
    groupFindings(groups),
    letterFindings(letters),
    replayFindings(replay),
    topics,
  ];
  return { letters, groups, relay, replay, topics, doctor: () => examine(sources) };
}
