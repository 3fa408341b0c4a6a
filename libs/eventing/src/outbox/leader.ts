/**
 * One leadership: from the lock to its loss. A new one starts from what was saved.
 *
 * R1 everything that decides runs on the connection that holds the lock: the read, the xid of gaps, the
 *    save (fence);
 * R2 a gap gets its xid before anything of that read is published or saved;
 * R3 an append is never waited for by the read: a log that is away can't cost the lock (H23);
 * R4 the cursor is saved at most every `saveEveryMs`, and not at all when nothing has changed (H34);
 * R5 a key that is parked is saved together with the cursor that passes its rows;
 * R6 reading that stopped because the gaps are full is never silent (E5): it is an error in sight, and what
 *    lies past the last read counts as lag.
 */
import type { EventLog } from '@aura/event-log';
import { InvariantError, TransientError, type Logger, type Next } from '@aura/platform';
import { Cursor, toColumns, type Gap } from './cursor.js';
import { Lanes, type Batch, type ParkedKey } from './lanes.js';
import type { LockSession } from './lock-session.js';
import type { Publisher } from './publishing.js';
import type { RelayMetrics } from './relay-metrics.js';
import { drawXid, loadRelay, positionsPast, readOutbox, saveRelay, type RelayRow } from './relay-store.js';

export interface RelayLimits {
  /** Rows and bytes of one read. */
  readonly readRows: number;
  readonly readBytes: number;
  /** Rows and bytes of one append. */
  readonly batchRows: number;
  readonly batchBytes: number;
  /** Appends under way at once. */
  readonly appends: number;
  /** Read and not acknowledged, of all partitions: past it reading stops (E9). */
  readonly waitingRows: number;
  readonly waitingBytes: number;
  /** Ranges of skipped positions: past it only they are read, until their transactions have ended (E9). */
  readonly gaps: number;
  readonly saveEveryMs: number;
  /** The longest pause between two reads. */
  readonly heartbeatMs: number;
  readonly backoff: { readonly initialMs: number; readonly maxMs: number };
}

export interface LeaderOptions {
  readonly log: EventLog;
  readonly publisher: Publisher;
  readonly limits: RelayLimits;
  readonly logger: Logger;
  readonly metrics: RelayMetrics;
  /** Monotonic, ms. */
  readonly nowMs: () => number;
  /** Something was acknowledged or refused: another round is due. */
  readonly onProgress: () => void;
  readonly onError: (error: unknown) => void;
  /** A batch was acknowledged whole. */
  readonly onPublished: () => void;
}

const LAG_EVERY_MS = 2_000;

export class Leader {
  readonly #cursor: Cursor;
  readonly #lanes: Lanes<RelayRow>;
  readonly #underWay = new Set<Promise<void>>();
  #parkedUnsaved: ParkedKey[] = [];
  #changed = false;
  #savedText: string;
  #savedAtMs = -Infinity;
  /** There may be more that could be read now. */
  #cut = false;
  #readingStopped: TransientError | undefined;
  #behind = 0;
  #behindAtMs = -Infinity;
  #learning = false;
  #learnAtMs = -Infinity;
  #stopped = false;

  private constructor(
    private readonly session: LockSession,
    private readonly options: LeaderOptions,
    loaded: Awaited<ReturnType<typeof loadRelay>>,
  ) {
    this.#cursor = new Cursor(loaded.cursor, loaded.sameCluster);
    this.#savedText = JSON.stringify(toColumns(loaded.cursor));
    this.#lanes = new Lanes(options.limits, loaded.parked);
    this.#noteFullGaps();
  }

  /** `session` holds the lock. */
  static async begin(session: LockSession, options: LeaderOptions): Promise<Leader> {
    return new Leader(session, options, await loadRelay(session));
  }

  get parkedKeys(): number {
    return this.#lanes.parkedKeys;
  }

  /** Rows that are not acknowledged; what is past the last read is estimated by positions. */
  get lagRows(): number {
    return this.#lanes.rows + this.#behind;
  }

  /** Why nothing past the last read is read; undefined while reading goes on (R6). */
  get readingStopped(): TransientError | undefined {
    return this.#readingStopped;
  }

  get oldestRaisedAt(): Date | undefined {
    return this.#lanes.oldestRaisedAt();
  }

  /** One read, what it makes possible, and a save if one is due. Any error ends this leadership. */
  async round(): Promise<Next> {
    const more = await this.#read();
    this.#learnTopics();
    this.#publish();
    await this.#saveIfDue();
    if (more) return 'again';
    return { afterMs: this.#nextMs() };
  }

  /** True while another round would get on: what waits for a failing partition doesn't count. */
  get busy(): boolean {
    return this.#underWay.size > 0 || (this.#cut && this.#room() > 0);
  }

  /** Resolves when the next append has been answered; at once where none is under way. */
  async progress(): Promise<void> {
    if (this.#underWay.size > 0) await Promise.race(this.#underWay);
  }

  /** Saves now what has changed. */
  async flush(): Promise<void> {
    if (this.#changed) await this.#save();
  }

  /** Sends nothing new, waits for the answers up to `graceMs`, saves, gives the lock back. */
  async stop(graceMs: number): Promise<void> {
    this.#stopped = true;
    const untilMs = this.options.nowMs() + graceMs;
    try {
      while (this.#underWay.size > 0 && this.options.nowMs() < untilMs) {
        await within(this.options.limits.heartbeatMs / 2, Promise.all(this.#underWay));
        await this.session.heartbeat();
      }
      await this.flush();
    } catch (error) {
      this.options.onError(error); // not saved: the next leader publishes again what readers drop
    }
    await this.session.close();
  }

  /** The connection is gone: answers that still come are for nobody. */
  abandon(): Promise<void> {
    this.#stopped = true;
    return this.session.discard();
  }

  async #read(): Promise<boolean> {
    const { limits } = this.options;
    const room = this.#room();
    const stopped = this.#readingStopped !== undefined;
    const read = await readOutbox(this.session, this.#cursor.position, this.#cursor.gaps, {
      rows: room,
      fresh: stopped ? 0 : room,
      bytes: limits.readBytes,
    });
    if (read.pid !== this.session.pid)
      throw new InvariantError(
        'the relay is connected through a pooler in transaction mode: connect it directly',
      );
    this.#cursor.take({ ...read, positions: read.rows.map((row) => row.position) });
    if (this.#cursor.unnoted) this.#cursor.note(await drawXid(this.session)); // R2
    this.#noteFullGaps();
    this.#cut = read.cut || (stopped && !this.#readingStopped);
    this.#settle(this.#lanes.add(read.rows));
    if (read.rows.length > 0) this.#changed = true;
    await this.#measureLag();
    return this.#cut && this.#room() > 0;
  }

  /** R6. Said once when it begins, and shown while it lasts. */
  #noteFullGaps(): void {
    const { gaps } = this.#cursor;
    if (gaps.length < this.options.limits.gaps) {
      this.#readingStopped = undefined;
      return;
    }
    const before = this.#readingStopped;
    this.#readingStopped = fullGaps(gaps);
    if (!before) this.options.logger.warn({ err: this.#readingStopped }, 'relay: reading stopped');
  }

  #room(): number {
    const { readRows, waitingRows, waitingBytes } = this.options.limits;
    if (this.#lanes.bytes >= waitingBytes) return 0;
    return Math.max(0, Math.min(readRows, waitingRows - this.#lanes.rows));
  }

  #publish(): void {
    while (!this.#stopped) {
      const batch = this.#lanes.next(this.options.nowMs());
      if (!batch) return;
      this.#track(this.#send(batch));
    }
  }

  async #send(batch: Batch<RelayRow>): Promise<void> {
    const outcome = await this.options.publisher.publish(batch);
    const { parked, parkedRows } = this.#lanes.settle(batch, outcome, this.options.nowMs());
    for (const { topic, partition, offset, positions } of outcome.marks)
      this.#cursor.acknowledge(topic, partition, offset, positions); // E4
    this.#settle(parkedRows);
    this.#parkedUnsaved.push(...parked);
    this.#changed = true;
    this.options.metrics.batch(outcome.acknowledged.size);
    for (const { topic, key, position, error } of parked)
      this.options.logger.error(
        { err: error, topic, key, position: String(position) },
        'relay: the log refused a record for good; its key is parked',
      );
    const waits = [...outcome.failed].find(([row]) => !parkedRows.includes(row.position));
    if (waits) this.options.onError(waits[1].error);
    else this.options.onPublished();
  }

  #track(work: Promise<void>): void {
    const tracked = work.catch(this.options.onError).finally(() => {
      this.#underWay.delete(tracked);
      if (this.#stopped) return;
      this.#publish();
      this.options.onProgress();
    });
    this.#underWay.add(tracked);
  }

  /** Partition counts of topics that are new here. Beside the loop: the log may be slow or away (R3). */
  #learnTopics(): void {
    const unknown = this.#lanes.unknownTopics;
    if (unknown.length === 0 || this.#learning || this.options.nowMs() < this.#learnAtMs) return;
    this.#learning = true;
    const learn = async (): Promise<void> => {
      try {
        const found = await this.options.log.describe(unknown);
        for (const { name, partitions } of found) this.#lanes.learn(name, partitions);
        const missing = unknown.filter((name) => !found.some((topic) => topic.name === name));
        if (missing.length > 0)
          throw new InvariantError(
            `the log has no topic ${missing.join(', ')}: its events wait until it is made`,
          );
      } catch (error) {
        this.#lanes.miss(this.#lanes.unknownTopics);
        this.#changed = true;
        throw error;
      } finally {
        this.#learning = false;
        this.#learnAtMs = this.options.nowMs() + this.options.limits.backoff.maxMs / 10;
      }
    };
    this.#track(learn());
  }

  #settle(positions: readonly bigint[]): void {
    this.#cursor.settle(positions);
  }

  async #saveIfDue(): Promise<void> {
    if (!this.#changed) return;
    if (this.options.nowMs() - this.#savedAtMs < this.options.limits.saveEveryMs) return; // R4
    await this.#save();
  }

  async #save(): Promise<void> {
    this.#changed = false;
    this.#cursor.hold(this.#lanes.held());
    const cursor = toColumns(this.#cursor.saved());
    const text = JSON.stringify(cursor);
    const parked = [...this.#parkedUnsaved];
    if (text === this.#savedText && parked.length === 0) return;
    await saveRelay(this.session, cursor, parked); // R1, R5
    this.#savedText = text;
    this.#parkedUnsaved = this.#parkedUnsaved.slice(parked.length);
    this.#savedAtMs = this.options.nowMs();
    this.options.metrics.saved();
  }

  async #measureLag(): Promise<void> {
    if (!this.#cut && !this.#readingStopped) this.#behind = 0;
    else if (this.options.nowMs() - this.#behindAtMs >= LAG_EVERY_MS) {
      this.#behind = await positionsPast(this.session, this.#cursor.position);
      this.#behindAtMs = this.options.nowMs();
    }
  }

  #nextMs(): number {
    const { heartbeatMs, saveEveryMs } = this.options.limits;
    const now = this.options.nowMs();
    const due = [now + heartbeatMs];
    if (this.#changed) due.push(this.#savedAtMs + saveEveryMs);
    if (this.#lanes.unknownTopics.length > 0 && !this.#learning) due.push(this.#learnAtMs);
    const retry = this.#lanes.nextRetryMs();
    if (retry !== undefined) due.push(retry);
    return Math.max(0, Math.min(...due) - now);
  }
}

function fullGaps(gaps: readonly Gap[]): TransientError {
  const oldest = gaps.reduce<bigint | undefined>(
    (xid, gap) => (gap.xid && (!xid || gap.xid < xid) ? gap.xid : xid),
    undefined,
  );
  return new TransientError(
    `reading stopped: ${gaps.length} gaps wait for a transaction older than ${oldest ?? 'this session'}: ` +
      'end it; pg_stat_activity (backend_xid) and pg_prepared_xacts name it',
  );
}

/** Waits for `work`, but not longer than `ms`. */
async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([work, new Promise((resolve) => (timer = setTimeout(resolve, ms)))]);
  clearTimeout(timer);
}
