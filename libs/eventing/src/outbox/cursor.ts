/**
 * What the relay knows of the outbox: how far it has read, which positions it has skipped, and what is not
 * yet acknowledged. Pure: no I/O, no clock. The relay's rules in docs/adr/0006-relay.md.
 *
 * C1 a read is a prefix, in position order, of the rows that its snapshot shows in the gaps and past the
 *    position; so what was committed first is taken first, per key (E2);
 * C2 a skipped position is a gap until its row is read, or until C4 (E1: it may belong to a transaction
 *    that still runs);
 * C3 a gap carries an xid X that was drawn after it was seen: whoever drew a position of it holds an xid
 *    below X;
 * C4 a gap is forgotten only if this read searched it, no limit kept the read from its end, and the read's
 *    snapshot has no transaction below X under way: then its rows were rolled back (H25);
 * C5 the saved position never passes a row that is not settled, unless the row is saved beside it as
 *    pending (E4);
 * C6 to the next leader, what is pending is a gap: it is read again by its position. So only what lies at or
 *    before the saved position is pending: it reads what is past it anyhow, and would take the row twice;
 * C7 rows of a key that is resumed are gaps as well: they are read again by their positions, in one order
 *    with everything else (H31).
 */
import { advance, markFromColumns, markToColumns, type MarkColumns, type PartitionMark } from './marks.js';

export type { PartitionMark } from './marks.js';

/** A range of skipped positions, both ends in it. `xid`: see C3; undefined until it was drawn. */
export interface Gap {
  readonly first: bigint;
  readonly last: bigint;
  readonly xid: bigint | undefined;
}

/** One read of the outbox: the positions that it gave, in order. */
export interface Read {
  readonly positions: readonly bigint[];
  /** The oldest transaction that was under way in the read's snapshot (`pg_snapshot_xmin`). */
  readonly xmin: bigint;
  /** A limit, in rows or bytes, may have kept rows from it. */
  readonly cut: boolean;
}

/** What is kept in the database. */
export interface SavedCursor {
  readonly position: bigint;
  readonly gaps: readonly Gap[];
  readonly pending: readonly bigint[];
  readonly acknowledged: readonly PartitionMark[];
}

export class Cursor {
  #position: bigint;
  /** In order, apart from one another. */
  #gaps: Gap[];
  /** Unsettled rows past every saved position, in order. */
  readonly #fresh = new Set<bigint>();
  /**
   * Unsettled rows that a save names one by one: they came out of a gap, or their partition can't be reached.
   */
  readonly #pending = new Set<bigint>();
  readonly #marks = new Map<string, PartitionMark>();

  /**
   * C6. `sameCluster`: false when the saved xids belong to another database cluster and mean nothing here.
   */
  constructor(saved: SavedCursor, sameCluster = true) {
    this.#position = saved.position;
    const pending = saved.pending.filter((position) => position <= saved.position);
    const again = pending.map((position) => ({ first: position, last: position, xid: undefined }));
    const gaps = saved.gaps.map((gap) => (sameCluster ? gap : { ...gap, xid: undefined }));
    this.#gaps = [...gaps, ...again].toSorted((a, b) => (a.first < b.first ? -1 : 1));
    for (const mark of saved.acknowledged) this.#marks.set(`${mark.topic}/${mark.partition}`, mark);
  }

  /** How far it has read. */
  get position(): bigint {
    return this.#position;
  }

  get gaps(): readonly Gap[] {
    return this.#gaps;
  }

  /** True while gaps wait for their xid: draw one now, after the read that showed them, and `note` it. */
  get unnoted(): boolean {
    return this.#gaps.some((gap) => gap.xid === undefined);
  }

  get unsettled(): number {
    return this.#fresh.size + this.#pending.size;
  }

  /** Takes a read of everything in `gaps` and past `position`. */
  take(read: Read): void {
    const { positions } = read;
    const before = positions.findIndex((position) => position > this.#position);
    const late = before === -1 ? positions : positions.slice(0, before);
    const fresh = before === -1 ? [] : positions.slice(before);
    const through = read.cut ? (positions.at(-1) ?? -1n) : undefined;
    this.#gaps = split(this.#gaps, late).filter((gap) => !forgettable(gap, read.xmin, through));
    for (const position of late) this.#pending.add(position);
    for (const position of fresh) {
      if (position > this.#position + 1n)
        this.#gaps.push({ first: this.#position + 1n, last: position - 1n, xid: undefined }); // C2
      this.#position = position;
      this.#fresh.add(position);
    }
  }

  /** C3. `xid` was drawn after the last `take`. */
  note(xid: bigint): void {
    this.#gaps = this.#gaps.map((gap) => (gap.xid === undefined ? { ...gap, xid } : gap));
  }

  get marks(): readonly PartitionMark[] {
    return [...this.#marks.values()];
  }

  markOf(topic: string, partition: number): PartitionMark | undefined {
    return this.#marks.get(`${topic}/${partition}`);
  }

  /** A partition has acknowledged these rows; `offset` is that of the last. */
  acknowledge(
    topic: string,
    partition: number,
    offset: bigint,
    positions: readonly bigint[],
    partitions?: number,
  ): void {
    this.settle(positions);
    if (positions.length === 0) return;
    const known = this.markOf(topic, partition);
    this.mark(advance(known, { topic, partition, partitions, offset, positions }));
  }

  mark(mark: PartitionMark): void {
    this.#marks.set(`${mark.topic}/${mark.partition}`, mark);
  }

  /** C7. `positions` lie at or before the position and are settled; those in a gap are found anyhow. */
  reopen(positions: readonly bigint[]): void {
    const again = positions
      .filter((position) => !this.#gaps.some((gap) => gap.first <= position && position <= gap.last))
      .filter((position) => !this.#pending.has(position) && !this.#fresh.has(position))
      .map((position) => ({ first: position, last: position, xid: undefined }));
    this.#gaps = [...this.#gaps, ...again].toSorted((a, b) => (a.first < b.first ? -1 : 1));
  }

  /** These rows are done with: acknowledged, or their key is parked in the same save. */
  settle(positions: readonly bigint[]): void {
    for (const position of positions) {
      this.#fresh.delete(position);
      this.#pending.delete(position);
    }
  }

  /** These rows wait for a partition that can't be reached: the saved position may pass them. */
  hold(positions: readonly bigint[]): void {
    for (const position of positions) if (this.#fresh.delete(position)) this.#pending.add(position);
  }

  /** C5, C6. */
  saved(): SavedCursor {
    const [firstFresh] = this.#fresh;
    const position = firstFresh === undefined ? this.#position : firstFresh - 1n;
    return {
      position,
      gaps: this.#gaps.filter((gap) => gap.first <= position),
      pending: [...this.#pending].filter((p) => p <= position).toSorted((a, b) => (a < b ? -1 : 1)),
      acknowledged: [...this.#marks.values()],
    };
  }
}

/** C4. `through`: the last position that a cut read gave; undefined when it was not cut. */
function forgettable(gap: Gap, xmin: bigint, through: bigint | undefined): boolean {
  const searched = through === undefined || gap.last < through;
  return searched && gap.xid !== undefined && xmin >= gap.xid;
}

/** What is left of `gaps` without `found`; both in order. */
function split(gaps: readonly Gap[], found: readonly bigint[]): Gap[] {
  const left: Gap[] = [];
  let next = 0;
  for (const gap of gaps) {
    let { first } = gap;
    let position = found[next];
    while (position !== undefined && position <= gap.last) {
      if (position > first) left.push({ ...gap, first, last: position - 1n });
      if (position >= first) first = position + 1n;
      position = found[++next];
    }
    if (first <= gap.last) left.push({ ...gap, first });
  }
  return left;
}

const gapToJson = ({ first, last, xid }: Gap): (string | null)[] => [
  String(first),
  String(last),
  xid === undefined ? null : String(xid),
];

/** The columns of `aura.relay_cursor`. Integers as text: JavaScript's JSON can't carry 64 bits. */
export interface CursorColumns {
  readonly position: string;
  readonly gaps: readonly (readonly (string | null)[])[];
  readonly pending: readonly string[];
  readonly acknowledged: readonly MarkColumns[];
}

export function toColumns({ position, gaps, pending, acknowledged }: SavedCursor): CursorColumns {
  return {
    position: String(position),
    gaps: gaps.map(gapToJson),
    pending: pending.map(String),
    acknowledged: acknowledged.map(markToColumns),
  };
}

export function fromColumns({ position, gaps, pending, acknowledged }: CursorColumns): SavedCursor {
  return {
    position: BigInt(position),
    gaps: gaps.map(([first, last, xid]) => ({
      first: BigInt(first ?? 0),
      last: BigInt(last ?? 0),
      xid: xid === null || xid === undefined ? undefined : BigInt(xid),
    })),
    pending: pending.map(BigInt),
    acknowledged: acknowledged.map(markFromColumns),
  };
}
