/**
 * Pure: how a unit that failed is taken apart, and how far offsets may move meanwhile.
 *
 * V1 pieces are attempted in arrival order, one after the other: the order within each key stays;
 * V2 an item is refused only when it stood alone;
 * V3 a partition's offset advances only past a contiguous prefix of finished records (H39): what a later
 *    piece finished ahead of an unfinished record runs again, and the inbox absorbs it.
 */
import type { Batch, LogRecord, Position, TopicPartition } from '@aura/event-log';

/** What to do after a failed attempt: the same piece again, its halves, or nothing more. */
export type Verdict = 'again' | 'apart' | 'stop';

export interface Piecework<T> {
  /** All of `piece`, or nothing of it. */
  attempt(piece: readonly T[]): Promise<void>;
  /** Decides after a failure; waits as long as it wants to. */
  judge(piece: readonly T[], error: unknown): Promise<Verdict>;
  /** `item` failed alone: what is to be attempted in its place. */
  refuse(item: T, error: unknown): T;
}

/** Attempts `items`, in halves where it has to. Resolves when all are finished, or when `judge` said stop. */
export async function finishByHalves<T>(items: readonly T[], work: Piecework<T>): Promise<void> {
  const pieces: (readonly T[])[] = items.length > 0 ? [items] : [];
  for (let piece = pieces.shift(); piece; piece = pieces.shift()) {
    try {
      await work.attempt(piece);
    } catch (error) {
      const verdict = await work.judge(piece, error);
      if (verdict === 'stop') return;
      const [alone] = piece;
      if (verdict === 'again') pieces.unshift(piece);
      else if (piece.length === 1 && alone !== undefined)
        pieces.unshift([work.refuse(alone, error)]); // V2
      else pieces.unshift(...halves(piece)); // V1
    }
  }
}

function halves<T>(piece: readonly T[]): [readonly T[], readonly T[]] {
  const middle = Math.ceil(piece.length / 2);
  return [piece.slice(0, middle), piece.slice(middle)];
}

interface Span extends TopicPartition {
  readonly offsets: readonly bigint[];
  readonly finished: Set<bigint>;
  /** Index of the first record that is not finished. */
  head: number;
}

/** Which records of one delivery are finished, by partition. */
export class Progress {
  readonly #spans = new Map<string, Span>();

  constructor(batches: readonly Batch[]) {
    for (const { topic, partition, records } of batches) {
      const offsets = records.map((record) => record.offset);
      this.#spans.set(spanKey({ topic, partition }), {
        topic,
        partition,
        offsets,
        finished: new Set(),
        head: 0,
      });
    }
  }

  finish(records: Iterable<LogRecord>): void {
    for (const record of records) this.#span(record).finished.add(record.offset);
    for (const span of this.#spans.values()) span.head = headOf(span, span.finished);
  }

  /**
   * V3. Where each partition stands once `records` are finished as well; only those that move, and those of
   * `records`.
   */
  after(records: readonly LogRecord[]): Position[] {
    const touched = new Map<Span, Set<bigint>>();
    for (const span of this.#spans.values()) if (span.head > 0) touched.set(span, span.finished);
    for (const record of records) {
      const span = this.#span(record);
      const known = touched.get(span);
      if (known && known !== span.finished) known.add(record.offset);
      else touched.set(span, new Set(span.finished).add(record.offset));
    }
    return [...touched].map(([span, finished]) => positionOf(span, headOf(span, finished)));
  }

  /** Where each partition that moved stands. */
  positions(): Position[] {
    return [...this.#spans.values()]
      .filter((span) => span.head > 0)
      .map((span) => positionOf(span, span.head));
  }

  #span(of: TopicPartition): Span {
    const span = this.#spans.get(spanKey(of));
    if (!span) throw new Error(`${spanKey(of)} is not of this delivery`);
    return span;
  }
}

function spanKey({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}

/** V3. Index of the first record that is not finished. */
function headOf({ offsets, head }: Span, finished: ReadonlySet<bigint>): number {
  for (let next = offsets[head]; next !== undefined && finished.has(next); next = offsets[head]) head++;
  return head;
}

/** Behind the last finished record; before anything is finished, at the first. */
function positionOf({ topic, partition, offsets }: Span, head: number): Position {
  const last = offsets[head - 1];
  const offset = last === undefined ? (offsets[0] ?? 0n) : last + 1n;
  return { topic, partition, offset };
}
