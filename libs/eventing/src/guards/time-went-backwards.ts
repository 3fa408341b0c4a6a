/**
 * What the relay makes of an outbox, its saved cursor and the log's topics when it begins to lead (E10):
 * whether all of them still tell the same story. Pure: time-check.ts looks, this decides.
 *
 * T1 the outbox hands out no position that the cursor has passed, or that a row has: `sequence-behind`;
 * T2 what stands in the topic past our marks, raised by us, is in the outbox by position and id. What a crash
 *    left there passes; what the outbox does not know was forgotten by the database: `database-went-back`.
 *    Records of a replay count for nothing: they are repeats;
 * T3 the topic still has, at each mark, the record that was acknowledged there: `topic-behind`. One that
 *    retention has passed is no loss;
 * T4 each topic has as many partitions as before, or keys would move: `partitions-changed`.
 */
import { lostFrom, type PartitionMark } from '../outbox/marks.js';

/** A record of ours that a relay, not a replay, has published. */
export interface RaisedRecord {
  readonly offset: bigint;
  readonly eventId: string;
  readonly sequence: bigint;
  /** When it was raised, ms since the epoch. */
  readonly raisedAtMs: number;
}

export interface SeenPartition {
  readonly partition: number;
  readonly first: bigint;
  readonly end: bigint;
  /**
   * Position of our record at the mark's offset; null where another record stands there; undefined where
   * nothing was to be looked at (no mark, or none kept any more).
   */
  readonly atMark: bigint | null | undefined;
  /** T2: past the mark, in offset order. */
  readonly raised: readonly RaisedRecord[];
  /** Highest position of any record of ours that was looked at. */
  readonly highest: bigint;
}

export interface SeenTopic {
  readonly topic: string;
  /** Undefined: the log has no such topic. */
  readonly partitions: readonly SeenPartition[] | undefined;
}

export interface Seen {
  /** Last position that the outbox's identity has handed out; 0 before the first. */
  readonly sequence: bigint;
  readonly highestRow: bigint;
  readonly position: bigint;
  readonly marks: readonly PartitionMark[];
  readonly topics: readonly SeenTopic[];
  /** Ids of `raised` records that the outbox has at their positions. */
  readonly known: ReadonlySet<string>;
}

export interface Loss {
  readonly topic: string;
  readonly partition: number;
  /** First offset that is gone. */
  readonly offset: bigint;
  /** Position from which on records may be lost; undefined: nothing is known so far back. */
  readonly from: bigint | undefined;
}

export interface Forgotten {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly sequence: bigint;
  /** Next free offset of the partition when it was looked at. */
  readonly end: bigint;
}

export type TimeFinding =
  | { readonly code: 'sequence-behind'; readonly sequence: bigint; readonly needed: bigint }
  | {
      readonly code: 'database-went-back';
      /** First record of each partition that the outbox does not know. */
      readonly forgotten: readonly Forgotten[];
      readonly highest: bigint;
    }
  | { readonly code: 'topic-behind'; readonly losses: readonly Loss[]; readonly missing: readonly string[] }
  | {
      readonly code: 'partitions-changed';
      readonly topics: readonly { readonly topic: string; readonly had: number; readonly has: number }[];
    };

export interface Verdict {
  /** Publishing waits until there is none. */
  readonly findings: readonly TimeFinding[];
  /** Marks that may move to their partition's end: everything past them was looked at and is known. */
  readonly marks: readonly PartitionMark[];
}

export function judge(seen: Seen): Verdict {
  const findings: TimeFinding[] = [];
  const needed = seen.position > seen.highestRow ? seen.position : seen.highestRow;
  const { sequence } = seen;
  if (sequence < needed) findings.push({ code: 'sequence-behind', sequence, needed }); // T1
  const losses = lossesOf(seen); // T3
  const forgotten = forgottenOf(seen, losses); // T2
  if (forgotten.length > 0)
    findings.push({ code: 'database-went-back', forgotten, highest: highestOf(seen) });
  const missing = seen.topics.filter(({ partitions }) => !partitions).map(({ topic }) => topic);
  if (losses.length > 0) findings.push({ code: 'topic-behind', losses, missing });
  const changed = changedOf(seen); // T4
  if (changed.length > 0) findings.push({ code: 'partitions-changed', topics: changed });
  return { findings, marks: findings.length > 0 ? [] : movedMarks(seen) };
}

function lossesOf({ marks, topics }: Seen): Loss[] {
  return marks.flatMap((mark) => {
    const { topic, partition, offset, position } = mark;
    const found = topics.find((of) => of.topic === topic);
    if (!found) return [];
    const now = found.partitions?.find((of) => of.partition === partition);
    if (!now) return [{ topic, partition, offset: 0n, from: undefined }];
    if (now.end <= offset) return [{ topic, partition, offset: now.end, from: lostFrom(mark, now.end) }];
    const other = position !== undefined && now.atMark !== undefined && now.atMark !== position;
    return other ? [{ topic, partition, offset: now.first, from: undefined }] : [];
  });
}

function forgottenOf({ topics, known }: Seen, losses: readonly Loss[]): Forgotten[] {
  return topics.flatMap(({ topic, partitions = [] }) =>
    partitions.flatMap(({ partition, end, raised }) => {
      // Behind a loss stands what came after it: no witness for the outbox.
      if (losses.some((loss) => loss.topic === topic && loss.partition === partition)) return [];
      const first = raised.find((record) => !known.has(record.eventId));
      return first ? [{ topic, partition, offset: first.offset, sequence: first.sequence, end }] : [];
    }),
  );
}

function changedOf({ marks, topics }: Seen): { topic: string; had: number; has: number }[] {
  return topics.flatMap(({ topic, partitions }) => {
    const had = marks.find((mark) => mark.topic === topic && mark.partitions !== undefined)?.partitions;
    const has = partitions?.length;
    return had !== undefined && has !== undefined && had !== has ? [{ topic, had, has }] : [];
  });
}

function highestOf({ topics }: Seen): bigint {
  const all = topics.flatMap(({ partitions = [] }) => partitions.map(({ highest }) => highest));
  return all.reduce((most, one) => (one > most ? one : most), 0n);
}

/** So that a long tail of replayed records is looked at once, not by every leader. */
function movedMarks({ marks, topics }: Seen): PartitionMark[] {
  return topics.flatMap(({ topic, partitions = [] }) =>
    partitions.flatMap((now) => {
      const mark = marks.find((of) => of.topic === topic && of.partition === now.partition);
      const offset = now.end - 1n;
      if (now.end === 0n || offset <= (mark?.offset ?? -1n)) return [];
      const last = now.raised.at(-1);
      const lowest = now.raised.reduce(
        (low, { sequence }) => (sequence < low ? sequence : low),
        last?.sequence ?? -1n,
      );
      const lows = mark?.lows ?? [];
      return [
        {
          topic,
          partition: now.partition,
          offset,
          position: last?.offset === offset ? last.sequence : undefined,
          partitions: partitions.length,
          lows:
            lowest < 0n
              ? lows
              : lows.map((low) => (low.position > lowest ? { ...low, position: lowest } : low)),
        },
      ];
    }),
  );
}

/** What it is about. */
export function subjectOf(finding: TimeFinding): string {
  if (finding.code === 'sequence-behind') return 'aura.outbox';
  if (finding.code === 'database-went-back') return finding.forgotten.map(nameOf).join(', ');
  if (finding.code === 'topic-behind') return finding.losses.map(nameOf).join(', ');
  return finding.topics.map(({ topic }) => topic).join(', ');
}

/** For the operator: what was found, and what the mend does. */
export function wordsOf(finding: TimeFinding): string {
  switch (finding.code) {
    case 'sequence-behind':
      return (
        `the outbox hands out positions after ${finding.sequence}, but position ${finding.needed} was ` +
        'handed out before: the outbox was copied without its identity. New events would never be ' +
        'published. The ' +
        'mend sets the identity and gives new positions to what was raised meanwhile'
      );
    case 'database-went-back':
      return (
        `${finding.forgotten.map(described).join('; ')}: this service's database does not know what the ` +
        'service has published, so it is older than the topic (restored from a backup, or failed over ' +
        'with a loss). What others have read of it stays done. Compare the service’s own data with the ' +
        'topic first; ' +
        `the mend sets the identity past ${finding.highest}, begins a new epoch and publishes on`
      );
    case 'topic-behind':
      return behindWords(finding);
    case 'partitions-changed':
      return (
        finding.topics.map((t) => `${t.topic} had ${t.had} partitions and now has ${t.has}`).join('; ') +
        ': keys would move to other partitions and overtake themselves. Wait until every reader has read ' +
        'to the end of the topic; the mend publishes on with the new count'
      );
  }
}

function behindWords({ losses, missing }: Extract<TimeFinding, { code: 'topic-behind' }>): string {
  const lost = losses.map((loss) => `${nameOf(loss)} from offset ${loss.offset} on`).join(', ');
  const topics = [...new Set(losses.map((loss) => loss.topic))];
  const replays = topics.map((topic) => {
    const from = firstPosition(losses.filter((loss) => loss.topic === topic));
    return `\`npm run aura -- replay outbox --topic ${topic} --from-position ${from}\``;
  });
  const gone = missing.length > 0 ? ` ${missing.join(', ')} is gone as a whole: make it first.` : '';
  return (
    `the log has lost what this service had published: ${lost}.${gone} First lost position: ` +
    `${firstPosition(losses)}. The mend republishes it from the outbox, labelled, and publishes on when ` +
    `that is done; by hand: ${replays.join(', ')}`
  );
}

/** From where the outbox is to be replayed; 1 where nothing is known so far back. */
export function firstPosition(losses: readonly Loss[]): bigint {
  const froms = losses.map(({ from }) => from ?? 1n);
  return froms.reduce((low, from) => (from < low ? from : low));
}

const nameOf = ({ topic, partition }: { topic: string; partition: number }): string =>
  `${topic}/${partition}`;
const described = (f: Forgotten): string =>
  `${nameOf(f)} has position ${f.sequence} of this service at offset ${f.offset}`;
