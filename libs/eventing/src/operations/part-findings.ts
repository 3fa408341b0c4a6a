/** What the parts of the event path say to the doctor, each from what operators may ask of it anyway. */
import type { SchemaRegistry } from '@aura/contracts';
import type { EventLog } from '@aura/event-log';
import type { RelayStatus } from '../outbox/relay.js';
import { shellWord } from './shell-word.js';
import type { FindingSource } from './doctor.js';
import type {
  Finding,
  GroupOperations,
  GroupPartition,
  LetterOperations,
  RelayOperations,
  ReplayOperations,
} from './operations.js';

/** Of one kind, in one answer of the doctor: the lists have them all. */
const MOST = 20;
const PING_MS = 3_000;

/** Log and registry: whether they answer. */
export function outsideFindings(log: EventLog, registry: SchemaRegistry): FindingSource[] {
  return [
    away('the event log', 'log-away', 'events are committed here and wait to be published', log),
    away('the schema registry', 'registry-away', 'new schemas can be neither registered nor read', registry),
  ];
}

function away(
  name: string,
  code: string,
  consequence: string,
  other: { ping(timeoutMs: number): Promise<void> },
): FindingSource {
  const findings = async (): Promise<Finding[]> => {
    try {
      await other.ping(PING_MS);
      return [];
    } catch (error) {
      const words = `${wordsOf(error)}: ${consequence}, until it is back`;
      return [{ code, severity: 'alarm', subject: name, words, command: undefined }];
    }
  };
  return { name, findings };
}

export function letterFindings(letters: LetterOperations): FindingSource {
  return {
    name: 'dead letters',
    async findings() {
      const keys = await letters.list({ state: 'dead' }, MOST);
      return keys.map(({ topic, key, type, error, since, waiting }): Finding => {
        const why = error ? `${error.name}: ${error.message}` : 'no error was kept';
        return {
          code: 'dead-letter',
          severity: 'warning',
          subject: `${topic} ${key}`,
          words: `${type} fails with ${why}, since ${since.toISOString()}; ${waiting} wait behind it`,
          command: `dead-letters redrive --topic ${shellWord(topic)} --key ${shellWord(key)} --reason "…"`,
        };
      });
    },
  };
}

export function groupFindings(groups: GroupOperations): FindingSource {
  return {
    name: 'the consumer group',
    async findings() {
      const { group, paused, partitions } = await groups.state();
      const found: Finding[] = partitions
        .filter(({ stalled }) => stalled !== undefined)
        .map((place) => ({
          code: 'partition-stalled',
          severity: 'alarm',
          subject: `${place.topic}/${place.partition}`,
          words: `stands still: ${place.stalled}`,
          command: moveOf(place),
        }));
      if (!paused) return found;
      const { since, by, reason } = paused;
      const words = `paused by ${by} since ${since.toISOString()}: ${reason}`;
      return [
        {
          code: 'group-paused',
          severity: 'alarm',
          subject: group,
          words,
          command: 'groups resume --reason "…"',
        },
        ...found,
      ];
    },
  };
}

export function relayFindings(relay: RelayOperations, status: () => RelayStatus): FindingSource {
  return {
    name: 'the relay',
    async findings() {
      const found = [...(await relay.findings())];
      for (const { topic, key, error, since, waiting } of await relay.parkedKeys(MOST))
        found.push({
          code: 'relay-parked-key',
          severity: 'warning',
          subject: `${topic} ${key}`,
          words:
            `the log refused a record for good (${error.name}: ${error.message}), ` +
            `since ${since.toISOString()}; ${waiting} wait`,
          command: `relay resume-key --topic ${shellWord(topic)} --key ${shellWord(key)} --reason "…"`,
        });
      const { lastError } = status();
      if (lastError && found.length === 0)
        found.push({
          code: 'relay-waits',
          severity: 'warning',
          subject: 'the relay of this replica',
          words: `${lastError.message}: it tries again by itself`,
          command: undefined,
        });
      return found;
    },
  };
}

export function replayFindings(replay: ReplayOperations): FindingSource {
  return {
    name: 'replays',
    async findings() {
      const jobs = await replay.list(MOST);
      return jobs
        .filter(({ state }) => state === 'failed' || state === 'running')
        .map(({ id, state, published, selected, error }): Finding => {
          const failed = state === 'failed';
          return {
            code: failed ? 'replay-failed' : 'replay-running',
            severity: failed ? 'warning' : 'note',
            subject: id,
            words: `${published} of ${selected} records are published${error ? `, then: ${error}` : ''}`,
            command: `replay show ${id}`,
          };
        });
    },
  };
}

/**
 * Where the log no longer has what comes next, or the database does not know what that is: from the first
 * record kept, because the inbox drops what was applied. What lies before it is in its publisher's outbox.
 */
function moveOf({ topic, partition, nextOffset, first, end }: GroupPartition): string | undefined {
  if (first === undefined || end === undefined) return undefined;
  if (nextOffset !== undefined && nextOffset >= first && nextOffset <= end) return undefined;
  return `groups move --topic ${shellWord(topic)} --partition ${partition} --to first --reason "…"`;
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message || error.name : String(error);
}
