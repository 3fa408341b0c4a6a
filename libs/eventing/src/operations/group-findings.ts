/** What the consumer group says to the doctor: each case has a code of its own, and what mends it. */
import type { FindingSource } from './doctor.js';
import type { Finding, GroupOperations, GroupPartition, PausedGroup, Standstill } from './operations.js';
import { shellWord } from './shell-word.js';

/** What comes back by itself is no alarm. */
const SEVERITY: Partial<Record<Standstill['code'], Finding['severity']>> = {
  'schema-away': 'warning',
  'owner-changed': 'note',
};

/**
 * Why partitions stand still is known of this process only; lost positions, what waits, and whether the group
 * is paused, of the whole group. While it is paused, what waits is not said.
 */
export function groupFindings(groups: GroupOperations): FindingSource {
  return {
    name: 'the consumer group',
    async findings() {
      const { group, paused, partitions } = await groups.state();
      const standing = partitions.flatMap((place) =>
        place.stalled ? [stalledFinding(place, place.stalled)] : [],
      );
      if (paused) return [pausedFinding(group, paused), ...standing];
      const late = partitions.filter(({ stalled, overdue }) => overdue && !stalled);
      return [...standing, ...lateFindings(late)];
    },
  };
}

function pausedFinding(group: string, { since, by, reason, byItself }: PausedGroup): Finding {
  const how = byItself
    ? `has paused itself since ${since.toISOString()}, because too many keys fail: ${reason}. Mend what ` +
      'fails, or take the deploy back, first'
    : `is paused by ${by} since ${since.toISOString()}: ${reason}`;
  return {
    code: byItself ? 'mass-failure' : 'group-paused',
    severity: 'alarm',
    subject: group,
    words: `the group ${how}. Nothing is lost: it goes on where it stood`,
    command: 'groups resume --reason "…"',
  };
}

function stalledFinding(place: GroupPartition, { code, words }: Standstill): Finding {
  const { topic, partition } = place;
  return {
    code,
    severity: SEVERITY[code] ?? 'alarm',
    subject: `${topic}/${partition}`,
    words: `stands still: ${words}`,
    ...mendOf(code, place),
  };
}

function mendOf(code: Standstill['code'], place: GroupPartition): Pick<Finding, 'command'> {
  const topic = shellWord(place.topic);
  switch (code) {
    case 'key-letters-full':
      return { command: `dead-letters redrive --topic ${topic} --reason "…"` };
    case 'group-letters-full':
      return { command: 'dead-letters redrive --reason "…"' };
    case 'topic-gone':
      return place.end === undefined ? publisherMakes(place.topic) : toFirst(place);
    case 'schema-away':
    case 'owner-changed':
      return { command: undefined };
    case 'position-expired':
    case 'position-beyond-end':
    case 'group-forgotten':
    case 'partition-stalled':
      return isOutOfLog(place) ? toFirst(place) : { command: undefined };
  }
}

/** The service that a topic is named after makes it. */
function publisherMakes(topic: string): Pick<Finding, 'command'> {
  const publisher = /^(.+)\.events$/.exec(topic)?.[1];
  if (publisher === undefined) return { command: undefined };
  return { command: `topics apply --service ${shellWord(publisher)} --reason "…"` };
}

/** From the first record kept: the inbox drops what was applied. What lies before is in an outbox. */
function toFirst({ topic, partition }: GroupPartition): Pick<Finding, 'command'> {
  return {
    command: `groups move --topic ${shellWord(topic)} --partition ${partition} --to first --reason "…"`,
  };
}

/** The log no longer has what comes next, or the database does not know what that is. */
function isOutOfLog({ nextOffset, first, end }: GroupPartition): boolean {
  if (first === undefined || end === undefined) return false;
  return nextOffset === undefined || nextOffset < first || nextOffset > end;
}

/** One of each topic and kind: a replica that hangs has many partitions. */
function lateFindings(late: readonly GroupPartition[]): Finding[] {
  const kinds = Map.groupBy(late, ({ topic, overdue }) => `${overdue?.moving} ${topic}`);
  return [...kinds.values()].map(lateFinding);
}

function lateFinding(places: readonly GroupPartition[]): Finding {
  const partitions = places.map(({ partition }) => partition).join(', ');
  const records = places.reduce((sum, { overdue }) => sum + (overdue?.records ?? 0n), 0n);
  const moved = places.map(({ overdue }) => overdue?.movedAt.toISOString() ?? '').toSorted();
  const owners = [...new Set(places.map(({ owner, released }) => (released ? 'nobody' : owner)))];
  const subject = `${places[0]?.topic}/${partitions}`;
  const words = `${records} records have waited for more than two minutes`;
  return places[0]?.overdue?.moving
    ? {
        code: 'group-behind',
        severity: 'note',
        subject,
        words: `${words}; they are being read. Handlers are slow, or more replicas are needed`,
        command: undefined,
      }
    : {
        code: 'nobody-reads',
        severity: 'alarm',
        subject,
        words:
          `${words}, and nothing has moved since ${moved[0]} (owner: ${owners.join(', ')}): no replica ` +
          'reads them, or the one that has them hangs, or stands still and says why when it is asked ' +
          'itself. Start one, or look at the end of its log and start it again',
        command: undefined,
      };
}
