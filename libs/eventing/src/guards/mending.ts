/**
 * What mends each finding of the relay (E10). Each one runs in a transaction of the caller's, on the row of
 * the cursor: it acts on what the leader has written down, once, and raises the epoch, so that the leader
 * begins anew and checks again before it publishes.
 */
import { ConflictError, type Queryable } from '@aura/platform';
import { noteOperation } from '../operations/audit.js';
import type { Change, ReplayOperations } from '../operations/operations.js';
import type { PartitionMark } from '../outbox/marks.js';
import {
  awaitReplays,
  beginEpoch,
  countUnseen,
  firstKept,
  lockCursor,
  lockOutbox,
  moveUnseen,
  setIdentity,
  type LockedCursor,
} from './epoch-store.js';
import { dropFinding, listFindings } from './finding-store.js';
import { firstPosition, subjectOf, type TimeFinding } from './time-went-backwards.js';

type Of<C extends TimeFinding['code']> = Extract<TimeFinding, { code: C }>;
type Replays = Pick<ReplayOperations, 'count' | 'start'>;

/** Gives what was done, in words; for a dry run, what would be. Throws `ConflictError` where nothing is. */
export async function mend(
  client: Queryable,
  replays: Replays,
  code: string,
  change: Change,
): Promise<string> {
  const locked = await lockCursor(client);
  const all = (await listFindings(client)).map(({ details }) => details);
  const finding = all.find((of) => of.code === code);
  if (!finding)
    throw new ConflictError(
      `no finding ${code} stops the relay. What does: ${all.map((of) => of.code).join(', ') || 'nothing'}`,
    );
  await noteOperation(client, `relay mend ${code}`, { about: subjectOf(finding) }, change);
  switch (finding.code) {
    case 'sequence-behind':
      return mendSequence(client, locked, finding, change);
    case 'database-went-back':
      return mendDatabase(client, locked, finding, change);
    case 'topic-behind': {
      const moved = all.find((of) => of.code === 'partitions-changed');
      return mendTopic(client, locked, finding, moved !== undefined, replays, change);
    }
    case 'partitions-changed':
      return mendPartitions(client, locked, finding, change);
  }
}

async function mendSequence(
  client: Queryable,
  { cursor, savedAt }: LockedCursor,
  { needed }: Of<'sequence-behind'>,
  change: Change,
): Promise<string> {
  if (change.dryRun) {
    const rows = await countUnseen(client, cursor.position, savedAt);
    return `would set the identity past ${needed} and give ${rows} rows of since then new positions`;
  }
  await lockOutbox(client);
  const last = await setIdentity(client, needed > cursor.position ? needed : cursor.position);
  const rows = await moveUnseen(client, cursor.position, savedAt);
  return ended(
    client,
    cursor.acknowledged,
    'sequence-behind',
    `set the identity to ${last} and gave ${rows} rows that were raised meanwhile new positions`,
  );
}

/**
 * Records that the database has forgotten stay where they are: they were read. (Folding what they decided
 * back into the service is for whoever knows what they mean, before this is run.)
 */
async function mendDatabase(
  client: Queryable,
  { cursor }: LockedCursor,
  { forgotten, highest }: Of<'database-went-back'>,
  change: Change,
): Promise<string> {
  const where = forgotten.map(({ topic, partition }) => `${topic}/${partition}`).join(', ');
  if (change.dryRun)
    return `would set the identity past ${highest} and take everything that is in ${where} for read`;
  await lockOutbox(client);
  const last = await setIdentity(client, highest);
  const marks = new Map(cursor.acknowledged.map((mark) => [`${mark.topic}/${mark.partition}`, mark]));
  for (const { topic, partition, end } of forgotten) {
    const name = `${topic}/${partition}`;
    const known = marks.get(name) ?? { topic, partition, partitions: undefined, lows: [] };
    marks.set(name, { ...known, offset: end - 1n, position: undefined });
  }
  return ended(
    client,
    [...marks.values()],
    'database-went-back',
    `set the identity to ${last} and took everything that is in ${where} for read`,
  );
}

async function mendTopic(
  client: Queryable,
  { cursor, replays: running }: LockedCursor,
  { losses, missing }: Of<'topic-behind'>,
  keysMoved: boolean,
  replays: Replays,
  change: Change,
): Promise<string> {
  if (missing.length > 0)
    throw new ConflictError(
      `${missing.join(', ')} is missing: make it first (\`npm run aura -- topics apply\`), then mend`,
    );
  if (running.length > 0)
    throw new ConflictError(
      `it is being republished by ${running.join(', ')}: \`npm run aura -- replay list\` shows how far`,
    );
  const done: string[] = [];
  const kept = await firstKept(client);
  const ids: string[] = [];
  for (const topic of new Set(losses.map((loss) => loss.topic))) {
    const lost = losses.filter((loss) => loss.topic === topic);
    const from = firstPosition(lost);
    const selection = {
      topic,
      fromPosition: from > kept ? from : kept,
      toPosition: cursor.position,
      ...(keysMoved ? {} : { partitions: lost.map(({ partition }) => partition) }),
    };
    const numbers = lost.map(({ partition }) => partition).join(', ');
    const range = `from position ${selection.fromPosition} to ${selection.toPosition}`;
    const what = `${topic}, partitions ${numbers}, ${range}`;
    if (change.dryRun) {
      const { records } = await replays.count(selection);
      done.push(`would republish ${records} records of ${what}`);
    } else {
      const job = await replays.start(selection, undefined, change);
      ids.push(job.id);
      done.push(`republishes ${what} (replay ${job.id})`);
    }
  }
  if (change.dryRun) return done.join('; ');
  await awaitReplays(client, ids);
  return `${done.join('; ')}. Publishing goes on by itself when that is done`;
}

async function mendPartitions(
  client: Queryable,
  { cursor }: LockedCursor,
  { topics }: Of<'partitions-changed'>,
  change: Change,
): Promise<string> {
  const words = topics.map(({ topic, has }) => `${topic} with ${has} partitions`).join(', ');
  if (change.dryRun) return `would publish on ${words}`;
  const marks = cursor.acknowledged.map((mark) => {
    const changed = topics.find(({ topic }) => topic === mark.topic);
    return changed ? { ...mark, partitions: changed.has } : mark;
  });
  return ended(client, marks, 'partitions-changed', `publishes on ${words}`);
}

async function ended(
  client: Queryable,
  marks: readonly PartitionMark[],
  code: TimeFinding['code'],
  done: string,
): Promise<string> {
  const epoch = await beginEpoch(client, marks, code, done);
  await dropFinding(client, code);
  return `${done}; epoch ${epoch} begins`;
}
