/** What the parts of the event path say to the doctor, each from what operators may ask of it anyway. */
import { UnknownSchemaIdError, UnreadableEventError, type SchemaRegistry } from '@aura/contracts';
import type { EventLog } from '@aura/event-log';
import type { RelayStatus } from '../outbox/relay.js';
import { shellWord } from './shell-word.js';
import type { FindingSource } from './doctor.js';
import type { Finding, LetterOperations, RelayOperations, ReplayOperations } from './operations.js';

/** Of one kind, in one answer of the doctor: the lists have them all. */
const MOST = 20;
const PING_MS = 3_000;
/** Classes of errors for which registry or publisher are to be looked at, not a handler. */
const UNREADABLE: ReadonlySet<string> = new Set([UnknownSchemaIdError.name, UnreadableEventError.name]);

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
        const unreadable = UNREADABLE.has(error?.name ?? '');
        const what = unreadable ? 'can’t be read:' : 'fails with';
        return {
          code: unreadable ? 'dead-letter-unreadable' : 'dead-letter',
          severity: 'warning',
          subject: `${topic} ${key}`,
          words: `${type} ${what} ${why}, since ${since.toISOString()}; ${waiting} wait behind it`,
          command: `dead-letters redrive --topic ${shellWord(topic)} --key ${shellWord(key)} --reason "…"`,
        };
      });
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

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message || error.name : String(error);
}
