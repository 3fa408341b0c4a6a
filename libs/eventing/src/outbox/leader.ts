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
 *    lies past the last read counts as lag;
 * R7 nothing is published before outbox, cursor and topics were compared (E10), and a leader that sees one of
 *    them go back under it gives up without a save: what was saved is compared anew (time-guard.ts);
 * R8 a resumed key's mark and the positions that go back into the relay's hands are one save (H31);
 * R9 it reads when it was told that something was committed (`wanted`), while there is more than it could
 *    take, and once per heartbeat: an answer of the log alone is no reason to read.
 */
import { InvariantError, TransientError, type Next } from '@aura/platform';
import { TimeGuard } from '../guards/time-guard.js';
import { Cursor, toColumns } from './cursor.js';
import { fullGaps } from './full-gaps.js';
import { impossible, tailLost } from './gone-back.js';
import { Lanes, type Batch, type ParkedKey } from './lanes.js';
import type { LeaderOptions } from './leader-options.js';
import type { LockSession } from './lock-session.js';
import type { Published } from './publishing.js';
import {
  drawXid,
  loadRelay,
  positionsPast,
  readOutbox,
  saveRelay,
  wantedKeys,
  type RelayRow,
  type ResumedKey,
} from './relay-store.js';
import { resumeSome } from './resuming.js';

export type { LeaderOptions, RelayLimits } from './leader-options.js';

const LAG_EVERY_MS = 2_000;

export class Leader {
  readonly #cursor: Cursor;
  readonly #lanes: Lanes<RelayRow>;
  readonly #underWay = new Set<Promise<void>>();
  readonly #guard: TimeGuard;
  readonly #epoch: bigint;
  #over = false;
  /** R7: outbox, cursor or topic went back under this leader. */
  #odd: TransientError | undefined;
  #parkedUnsaved: ParkedKey[] = [];
  #resumedUnsaved: ResumedKey[] = [];
  #resumeAtMs = -Infinity;
  #changed = false;
  #savedText: string;
  #savedAtMs = -Infinity;
  #readWanted = true;
  #readAtMs = -Infinity;
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
    this.#epoch = loaded.epoch;
    const { tailWindow, recheckMs, backoff } = options.limits;
    this.#guard = new TimeGuard(session, loaded, {
      ...options,
      tailWindow,
      recheckMs,
      backoffMs: backoff.maxMs / 10,
    });
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

  /** Why nothing is published until somebody mends it (E10). */
  get stoppedByTime(): InvariantError | undefined {
    return this.#guard.stopped;
  }

  /** Nothing was found that keeps it from publishing (E10). */
  get cleared(): boolean {
    return this.#guard.open;
  }

  /** This leadership has ended; the lock is kept, and the next one begins with what is saved now. */
  get over(): boolean {
    return this.#over;
  }

  /** One read, what it makes possible, and a save if one is due. Any error ends this leadership. */
  async round(): Promise<Next> {
    if (this.#odd) throw this.#odd;
    if (this.#guard.stopped) {
      this.#over = await this.#guard.look();
      return this.#over ? 'again' : { afterMs: this.options.limits.heartbeatMs };
    }
    await this.#resumeKeys();
    const more = this.#isReadDue() && (await this.#read());
    this.#compareTimes();
    this.#learnTopics();
    this.#publish();
    await this.#saveIfDue();
    if (more) return 'again';
    return { afterMs: this.#nextMs() };
  }

  /** Something was committed: the next round reads. */
  wanted(): void {
    this.#readWanted = true;
  }

  /** True while another round would get on: what waits for a failing partition doesn't count. */
  get busy(): boolean {
    if (this.#underWay.size > 0) return true;
    return this.#guard.open && this.#cut && this.#room() > 0;
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

  /** R9. */
  #isReadDue(): boolean {
    if (this.#readWanted || (this.#cut && this.#room() > 0)) return true;
    return this.options.nowMs() >= this.#readAtMs + this.options.limits.heartbeatMs;
  }

  async #read(): Promise<boolean> {
    const { limits } = this.options;
    this.#readWanted = false; // what is committed from here on may be missed by this read
    this.#readAtMs = this.options.nowMs();
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
    const gaps = this.#cursor.gaps.length;
    this.#cursor.take({ ...read, positions: read.rows.map((row) => row.position) });
    if (this.#cursor.unnoted) this.#cursor.note(await drawXid(this.session)); // R2
    this.#noteFullGaps();
    this.#cut = read.cut || (stopped && !this.#readingStopped);
    this.#settle(this.#lanes.add(read.rows));
    // A gap that is forgotten is saved, too: until then it keeps its day from being dropped.
    if (read.rows.length > 0 || this.#cursor.gaps.length !== gaps) this.#changed = true;
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
    while (!this.#stopped && this.#guard.open && !this.#odd) {
      const batch = this.#lanes.next(this.options.nowMs());
      if (!batch) return;
      this.#track(this.#send(batch));
    }
  }

  async #send(batch: Batch<RelayRow>): Promise<void> {
    const outcome = await this.#carry(batch);
    this.#odd ??= impossible(outcome.marks, this.#cursor, this.#lanes);
    if (this.#odd) throw this.#odd; // nothing of it is saved: the rows go again, readers drop repeats
    const { parked, parkedRows } = this.#lanes.settle(batch, outcome, this.options.nowMs());
    for (const { topic, partition, offset, positions } of outcome.marks)
      this.#cursor.acknowledge(topic, partition, offset, positions, this.#lanes.partitionsOf(topic)); // E4
    this.#settle(parkedRows);
    this.#parkedUnsaved.push(...parked);
    // A key that is refused again stands where it was refused, whatever was to be saved of its resumption.
    const refused = (key: ResumedKey): boolean =>
      parked.some((p) => p.topic === key.topic && p.key === key.key);
    this.#resumedUnsaved = this.#resumedUnsaved.filter((key) => !refused(key));
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

  /** R7: a partition that failed may have come back without its tail; it is asked before it is sent to. */
  async #carry(batch: Batch<RelayRow>): Promise<Published> {
    const topics = new Set(batch.rows.map((row) => row.topic));
    if (batch.probe) this.#odd ??= await tailLost(this.options.log, topics, this.#cursor);
    if (this.#odd) throw this.#odd;
    return this.options.publisher.publish(batch);
  }

  /** R7. Beside the loop, as everything that asks the log (R3). */
  #compareTimes(): void {
    const dueAtMs = this.#guard.dueAtMs;
    if (dueAtMs === undefined || this.options.nowMs() < dueAtMs) return;
    const check = async (): Promise<void> => {
      for (const mark of await this.#guard.check()) {
        this.#cursor.mark(mark);
        this.#changed = true;
      }
      this.options.onCompared(undefined);
    };
    this.#track(check().catch(this.options.onCompared));
  }

  /** R8. */
  async #resumeKeys(): Promise<void> {
    const { nowMs, limits } = this.options;
    if (this.#lanes.parkedKeys === 0 || nowMs() < this.#resumeAtMs || !this.#guard.open) return;
    this.#resumeAtMs = nowMs() + limits.heartbeatMs;
    if ((await wantedKeys(this.session, 1)).length === 0) return;
    await this.flush(); // a key may have been refused again a moment ago
    const resumed = await resumeSome(this.session, this.#cursor, this.#lanes, limits.gaps);
    this.#resumedUnsaved.push(...resumed);
    this.#readWanted = true; // they are gaps now
    if (resumed.some((key) => key.from !== undefined)) this.#resumeAtMs = -Infinity; // there is more of it
    this.#changed = true;
    if (this.#cursor.unnoted) this.#cursor.note(await drawXid(this.session)); // R2
    await this.#save();
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
    if (this.#odd || this.#guard.stopped) return; // R7
    this.#changed = false;
    this.#cursor.hold(this.#lanes.held());
    const cursor = toColumns(this.#cursor.saved());
    const text = JSON.stringify(cursor);
    const [parked, resumed] = [[...this.#parkedUnsaved], [...this.#resumedUnsaved]];
    if (text === this.#savedText && parked.length + resumed.length === 0) return;
    await saveRelay(this.session, cursor, parked, resumed, this.#epoch); // R1, R5, R8
    this.#savedText = text;
    this.#parkedUnsaved = this.#parkedUnsaved.filter((key) => !parked.includes(key));
    this.#resumedUnsaved = this.#resumedUnsaved.filter((key) => !resumed.includes(key));
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
    const due = [this.#readAtMs + heartbeatMs];
    if (this.#guard.dueAtMs !== undefined) due.push(this.#guard.dueAtMs);
    if (this.#lanes.parkedKeys > 0) due.push(this.#resumeAtMs);
    if (this.#changed) due.push(this.#savedAtMs + saveEveryMs);
    if (this.#lanes.unknownTopics.length > 0 && !this.#learning) due.push(this.#learnAtMs);
    const retry = this.#lanes.nextRetryMs();
    if (retry !== undefined) due.push(retry);
    return Math.max(0, Math.min(...due) - now);
  }
}

/** Waits for `work`, but not longer than `ms`. */
async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([work, new Promise((resolve) => (timer = setTimeout(resolve, ms)))]);
  clearTimeout(timer);
}
