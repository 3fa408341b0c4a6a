/**
 * What was read and is not yet acknowledged, in one queue per partition. Pure: no I/O, no clock of its own.
 *
 * Order per key (E2) survives whatever fails, because:
 * P1 a key always has the same lane, and a lane has at most one batch under way: the next one waits for its
 *    answer;
 * P2 a batch is the front of its lane, and what the log did not acknowledge goes back to the front, in
 *    position order;
 * P3 so a record is sent only when every earlier one of its key is acknowledged, or sent in the same append
 *    before it. This holds across leaders too: whatever lands late is a repeat, never an inversion;
 * P4 a lane whose partition failed waits with back-off, then is sent alone: it can't delay the others (E6).
 *    One such probe is under way at a time, of the lane that has waited longest: a log that takes one append
 *    after the other would keep the healthy lanes behind the time-outs of all probes;
 * P5 a key is parked at its first row that is refused for good, its later rows with it, and nothing of it
 *    is sent any more;
 * P6 a parked key is resumed from its first row on: what was put into the relay's hands again goes as any
 *    row does, and what lies behind it stays parked until it is put there (H31).
 */
import { partitionOf } from '@aura/event-log';

/** A row of the outbox on its way to the log. */
export interface WaitingRow {
  readonly position: bigint;
  readonly topic: string;
  readonly key: string;
  /** Roughly, in memory and on the wire. */
  readonly bytes: number;
  readonly raisedAt: Date;
}

/** A refusal for good: the key stands still from this row on. */
export interface ParkedKey {
  readonly topic: string;
  readonly key: string;
  readonly position: bigint;
  readonly error: Error;
}

/** What became of one batch. A row that is in neither is not acknowledged. */
export interface Outcome<R extends WaitingRow> {
  readonly acknowledged: ReadonlySet<R>;
  readonly failed: ReadonlyMap<R, { readonly error: Error; readonly terminal: boolean }>;
}

export interface LaneLimits {
  readonly batchRows: number;
  readonly batchBytes: number;
  /** Appends under way at once, those of failing lanes aside. */
  readonly appends: number;
  readonly backoff: { readonly initialMs: number; readonly maxMs: number };
}

interface Lane<R> {
  rows: R[];
  sending: boolean;
  failures: number;
  retryAtMs: number;
}

export interface Batch<R extends WaitingRow> {
  readonly rows: readonly R[];
  /** Of a lane that failed before. */
  readonly probe: boolean;
}

export interface Settled {
  readonly parked: readonly ParkedKey[];
  /** Rows that no longer wait because their key is parked. */
  readonly parkedRows: readonly bigint[];
}

export class Lanes<R extends WaitingRow> {
  readonly #partitions = new Map<string, number>();
  /** Rows of topics whose partition count is not known yet, in order. */
  #unplaced: R[] = [];
  /** Those of them whose topic was asked for in vain. */
  readonly #missing = new Set<string>();
  readonly #lanes = new Map<string, Lane<R>>();
  readonly #parked = new Map<string, bigint>();
  #rows = 0;
  #bytes = 0;
  #sending = 0;
  #probing = false;

  /** `random` in [0, 1), for the jitter of back-offs. */
  constructor(
    private readonly limits: LaneLimits,
    parked: readonly { topic: string; key: string; position: bigint }[] = [],
    private readonly random: () => number = Math.random,
  ) {
    for (const key of parked) this.#parked.set(nameOf(key), key.position);
  }

  /** Rows that wait or are under way. */
  get rows(): number {
    return this.#rows;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get parkedKeys(): number {
    return this.#parked.size;
  }

  /** Topics whose rows wait until `learn`. */
  get unknownTopics(): string[] {
    return [...new Set(this.#unplaced.map((row) => row.topic))];
  }

  /** Takes rows in position order; gives those that don't wait, because their key is parked (P5). */
  add(rows: readonly R[]): bigint[] {
    const parked: bigint[] = [];
    for (const row of rows) {
      if (this.#isParked(row)) {
        parked.push(row.position);
        continue;
      }
      this.#rows++;
      this.#bytes += row.bytes;
      const partitions = this.#partitions.get(row.topic);
      if (partitions === undefined) this.#unplaced.push(row);
      else this.#place(row, partitions);
    }
    return parked;
  }

  /** The partition count of a topic, once: a later one would give keys another lane (P1). */
  learn(topic: string, partitions: number): void {
    if (this.#partitions.has(topic)) return;
    this.#partitions.set(topic, partitions);
    this.#missing.delete(topic);
    const waiting = this.#unplaced;
    this.#unplaced = waiting.filter((row) => row.topic !== topic);
    for (const row of waiting) if (row.topic === topic) this.#place(row, partitions);
  }

  /** Partitions of a topic as `learn` was told them. */
  partitionsOf(topic: string): number | undefined {
    return this.#partitions.get(topic);
  }

  /** P6. What of a parked key lies before `from` may be sent again; all of it where `from` is undefined. */
  resume({ topic, key, from }: { topic: string; key: string; from: bigint | undefined }): void {
    if (from === undefined) this.#parked.delete(nameOf({ topic, key }));
    else this.#parked.set(nameOf({ topic, key }), from);
  }

  /** Nobody could say what partitions `topics` have: their rows wait for longer. */
  miss(topics: readonly string[]): void {
    for (const topic of topics) this.#missing.add(topic);
  }

  /**
   * The next append; undefined while there is nothing that may be sent. Its lanes are busy until `settle`.
   */
  next(nowMs: number): Batch<R> | undefined {
    const failed = this.#nextProbe();
    if (failed && failed.retryAtMs <= nowMs) {
      this.#probing = true;
      return { rows: this.#front([failed]), probe: true };
    }
    if (this.#sending >= this.limits.appends) return undefined;
    const free = [...this.#lanes.values()].filter((l) => l.failures === 0 && !l.sending && l.rows.length > 0);
    if (free.length === 0) return undefined;
    this.#sending++;
    return { rows: this.#front(free), probe: false };
  }

  /** When the next failed lane may be tried again; undefined where none waits, or one is tried just now. */
  nextRetryMs(): number | undefined {
    return this.#nextProbe()?.retryAtMs;
  }

  /** P2, P4, P5: what became of a batch of `next`. */
  settle(batch: Batch<R>, outcome: Outcome<R>, nowMs: number): Settled {
    if (batch.probe) this.#probing = false;
    else this.#sending--;
    const parked: ParkedKey[] = [];
    const parkedRows: bigint[] = [];
    for (const [lane, rows] of this.#byLane(batch.rows)) {
      lane.sending = false;
      const { back, refused } = this.#unacknowledged(rows, outcome);
      lane.rows.unshift(...back);
      parked.push(...refused);
      parkedRows.push(...this.#park(lane, refused));
      if (back.every((row) => this.#isParked(row))) lane.failures = 0;
      else lane.retryAtMs = nowMs + this.#backoffMs(lane.failures++);
    }
    return { parked, parkedRows };
  }

  /** Rows that wait for what can't be reached: a topic that is unknown, a partition that failed. */
  held(): bigint[] {
    const failing = [...this.#lanes.values()].filter((lane) => lane.failures > 0);
    const unplaced = this.#unplaced.filter((row) => this.#missing.has(row.topic));
    return [unplaced, ...failing.map((lane) => lane.rows)].flat().map((row) => row.position);
  }

  /** The oldest row that waits, for the lag. */
  oldestRaisedAt(): Date | undefined {
    let oldest: Date | undefined = this.#unplaced[0]?.raisedAt;
    for (const { rows } of this.#lanes.values()) {
      const at = rows[0]?.raisedAt;
      if (at && (!oldest || at < oldest)) oldest = at;
    }
    return oldest;
  }

  /** P4. */
  #nextProbe(): Lane<R> | undefined {
    if (this.#probing) return undefined;
    let next: Lane<R> | undefined;
    for (const lane of this.#lanes.values())
      if (lane.failures > 0 && !lane.sending && lane.rows.length > 0)
        if (!next || lane.retryAtMs < next.retryAtMs) next = lane;
    return next;
  }

  #place(row: R, partitions: number): void {
    const lane = this.#laneOf(row, partitions);
    // A row out of a gap may be older than what waits. Rows that overlapped have no order; position order
    // is as good as any.
    let at = lane.rows.length;
    while (at > 0 && (lane.rows[at - 1] as R).position > row.position) at--;
    lane.rows.splice(at, 0, row);
  }

  #laneOf(row: R, partitions: number): Lane<R> {
    const name = `${row.topic}/${partitionOf(row.key, partitions)}`;
    let lane = this.#lanes.get(name);
    if (!lane) this.#lanes.set(name, (lane = { rows: [], sending: false, failures: 0, retryAtMs: 0 }));
    return lane;
  }

  /** Takes from the fronts of `lanes`, in position order, up to the limits; at least one row. */
  #front(lanes: readonly Lane<R>[]): R[] {
    const taken = new Map<Lane<R>, number>();
    const rows: R[] = [];
    let bytes = 0;
    while (rows.length < this.limits.batchRows) {
      let first: { lane: Lane<R>; row: R } | undefined;
      for (const lane of lanes) {
        const row = lane.rows[taken.get(lane) ?? 0];
        if (row && (!first || row.position < first.row.position)) first = { lane, row };
      }
      if (!first || (rows.length > 0 && bytes + first.row.bytes > this.limits.batchBytes)) break;
      rows.push(first.row);
      bytes += first.row.bytes;
      taken.set(first.lane, (taken.get(first.lane) ?? 0) + 1);
    }
    for (const [lane, count] of taken) {
      lane.rows.splice(0, count);
      lane.sending = true;
    }
    return rows;
  }

  #byLane(rows: readonly R[]): Map<Lane<R>, R[]> {
    const lanes = new Map<Lane<R>, R[]>();
    for (const row of rows) {
      const lane = this.#laneOf(row, this.#partitions.get(row.topic) ?? 1);
      const of = lanes.get(lane);
      if (of) of.push(row);
      else lanes.set(lane, [row]);
    }
    return lanes;
  }

  /**
   * Rows that go back, and refusals that are the first of their key: an earlier row that goes back is tried
   * before.
   */
  #unacknowledged(
    rows: readonly R[],
    { acknowledged, failed }: Outcome<R>,
  ): { back: R[]; refused: ParkedKey[] } {
    const back: R[] = [];
    const refused: ParkedKey[] = [];
    const waiting = new Set<string>();
    for (const row of rows) {
      if (acknowledged.has(row)) {
        this.#rows--;
        this.#bytes -= row.bytes;
        continue;
      }
      const failure = failed.get(row);
      if (failure?.terminal && !waiting.has(nameOf(row))) {
        const { topic, key, position } = row;
        refused.push({ topic, key, position, error: failure.error });
      }
      waiting.add(nameOf(row));
      back.push(row);
    }
    return { back, refused };
  }

  #park(lane: Lane<R>, refused: readonly ParkedKey[]): bigint[] {
    if (refused.length === 0) return [];
    for (const key of refused) this.#parked.set(nameOf(key), key.position);
    const gone = lane.rows.filter((row) => this.#isParked(row));
    lane.rows = lane.rows.filter((row) => !this.#isParked(row));
    for (const row of gone) this.#bytes -= row.bytes;
    this.#rows -= gone.length;
    return gone.map((row) => row.position);
  }

  #isParked(row: R): boolean {
    const from = this.#parked.get(nameOf(row));
    return from !== undefined && row.position >= from;
  }

  #backoffMs(failures: number): number {
    const { initialMs, maxMs } = this.limits.backoff;
    return Math.min(maxMs, initialMs * 2 ** Math.min(failures, 20)) * (0.5 + this.random() / 2);
  }
}

const nameOf = ({ topic, key }: { topic: string; key: string }): string => `${topic}\n${key}`;
