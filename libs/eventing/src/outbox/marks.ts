/**
 * What the relay keeps of each partition that has acknowledged something, so that a later leader can tell
 * whether it is still the same partition, and what is gone where it is not (E10). Pure.
 *
 * M1 `offset` is the last acknowledged one, and `position` that of the very record there;
 * M2 a low says: every record that was acknowledged at this offset or after it has this position or a later
 *    one. Records of a key come in order, but rows that committed late and keys that were resumed go behind
 *    later positions, so the last record alone does not tell from where on something is lost. Lows are few,
 *    denser towards the end: what they leave out costs repeats, never a loss.
 */

/** M2. */
export interface Low {
  readonly offset: bigint;
  readonly position: bigint;
}

/** M1. */
export interface PartitionMark {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  /** Undefined where the record there is none of the relay's own: another's, or a replayed one. */
  readonly position: bigint | undefined;
  /** Partitions of the topic; undefined in marks of earlier releases. */
  readonly partitions: number | undefined;
  /** In order of both; the first one says from where on anything is known. */
  readonly lows: readonly Low[];
}

const MOST_LOWS = 4;

/** The mark after an acknowledgement of `positions`, whose last record is at `offset`. */
export function advance(
  known: PartitionMark | undefined,
  ack: {
    readonly topic: string;
    readonly partition: number;
    readonly partitions: number | undefined;
    readonly offset: bigint;
    readonly positions: readonly bigint[];
  },
): PartitionMark {
  const { topic, partition, offset, positions } = ack;
  const first = offset - BigInt(positions.length) + 1n;
  const lowest = positions.reduce((low, position) => (position < low ? position : low));
  return {
    topic,
    partition,
    offset,
    position: positions.at(-1),
    partitions: ack.partitions ?? known?.partitions,
    lows: withLow(known?.lows ?? [], { offset: first, position: lowest }),
  };
}

/** M2, with one more: earlier lows fall to it, equal ones are one, and the densest goes. */
export function withLow(lows: readonly Low[], low: Low): Low[] {
  const fallen: Low[] = [];
  for (const { offset, position } of [...lows, low]) {
    const at = position > low.position ? low.position : position;
    if (fallen.at(-1)?.position !== at) fallen.push({ offset, position: at });
  }
  while (fallen.length > MOST_LOWS) fallen.splice(densest(fallen), 1);
  return fallen;
}

/** The one between first and last whose neighbours are nearest to each other, seen from the end. */
function densest(lows: readonly Low[]): number {
  const end = (lows.at(-1)?.offset ?? 0n) + 1n;
  let [densestAt, smallest] = [1, Infinity];
  for (let at = 1; at < lows.length - 1; at++) {
    const [before, after] = [lows[at - 1] as Low, lows[at + 1] as Low];
    const ratio = Number(end - before.offset) / Number(end - after.offset);
    if (ratio < smallest) [densestAt, smallest] = [at, ratio];
  }
  return densestAt;
}

/**
 * From which position on records may be lost when everything from `offset` on is; undefined: nothing is known
 * so far back.
 */
export function lostFrom(mark: PartitionMark, offset: bigint): bigint | undefined {
  return mark.lows.findLast((low) => low.offset <= offset)?.position;
}

/** As it is kept: integers as text, because JavaScript's JSON can't carry 64 bits. */
export type MarkColumns = readonly (string | number | null | readonly (readonly string[])[])[];

export const markToColumns = (mark: PartitionMark): MarkColumns => [
  mark.topic,
  mark.partition,
  String(mark.offset),
  mark.position === undefined ? null : String(mark.position),
  mark.partitions ?? null,
  mark.lows.map((low) => [String(low.offset), String(low.position)]),
];

/** Marks of the first release have four columns, and their position may be an earlier record's (M1). */
export function markFromColumns(columns: MarkColumns): PartitionMark {
  const [topic, partition, offset, position, partitions, lows] = columns;
  const exact = columns.length > 4 && typeof position === 'string';
  return {
    topic: String(topic),
    partition: Number(partition),
    offset: BigInt(String(offset)),
    position: exact ? BigInt(position) : undefined,
    partitions: typeof partitions === 'number' ? partitions : undefined,
    lows: (Array.isArray(lows) ? lows : []).map(([at, from]) => ({
      offset: BigInt(String(at)),
      position: BigInt(String(from)),
    })),
  };
}
