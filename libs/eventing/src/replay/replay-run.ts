/**
 * One job at work: pages of the outbox, in position order, to the log.
 *
 * J1 a page is sent until all of it is acknowledged, before anything later: order per key (E2);
 * J2 the position is saved behind what is acknowledged, never before it: whoever takes the job over repeats
 *    what was not saved, and skips nothing (E8);
 * J3 a page is at most some hundred records, so that live events slip in between;
 * J4 whether the job still runs is read with every save: cancelling it ends it at the next one.
 */
import { partitionOf, type EventLog } from '@aura/event-log';
import { TerminalError, type Logger } from '@aura/platform';
import type { Pool, PoolClient } from 'pg';
import { pause } from '../consumer/pause.js';
import type { Publisher } from '../outbox/publishing.js';
import type { RelayRow } from '../outbox/relay-store.js';
import { backoffMs } from '../tasks/task.js';
import { readPage, withOutboxReader } from './replay-rows.js';
import { saveProgress, type StoredJob } from './replay-store.js';

export interface ReplayLimits {
  /** Records and bytes of one append. Default 500 and 1 MiB. */
  readonly pageRows: number;
  readonly pageBytes: number;
  /** Positions that one statement looks at. Default 50,000. */
  readonly windowPositions: number;
  /** How often progress is saved, and a cancelled job seen (ms). Default 250. */
  readonly saveEveryMs: number;
  /** Pauses while the log does not take a record (ms). Default 100 to 5,000. */
  readonly backoff: { readonly initialBackoffMs: number; readonly maxBackoffMs: number };
}

export const REPLAY_LIMITS: ReplayLimits = {
  pageRows: 500,
  pageBytes: 1024 * 1024,
  windowPositions: 50_000,
  saveEveryMs: 250,
  backoff: { initialBackoffMs: 100, maxBackoffMs: 5_000 },
};

export interface ReplayRunOptions {
  readonly pool: Pool;
  readonly log: EventLog;
  readonly publisher: Publisher;
  readonly logger: Logger;
  readonly limits: ReplayLimits;
  readonly onPublished: (count: number) => void;
  /** Monotonic, ms. */
  readonly nowMs: () => number;
}

/** `stopped`: somebody has ended the job meanwhile. */
export type RunOutcome = 'done' | 'stopped';

interface Page {
  readonly rows: readonly RelayRow[];
  /** Everything selected up to here is in the page, or before it. */
  readonly through: bigint;
}

export class ReplayRun {
  #position: bigint;
  #published: number;
  #savedAtMs: number;
  #nextAtMs = 0;

  constructor(
    private readonly job: StoredJob,
    private readonly options: ReplayRunOptions,
  ) {
    this.#position = job.position;
    this.#published = job.published;
    this.#savedAtMs = options.nowMs();
  }

  /**
   * To the end of the job. Rejects when `signal` is aborted, when the database is away, and with
   * `TerminalError` for a record that the log refuses for good.
   */
  run(signal: AbortSignal): Promise<RunOutcome> {
    return withOutboxReader(this.options.pool, (db) => this.#pages(db, signal));
  }

  async #pages(db: PoolClient, signal: AbortSignal): Promise<RunOutcome> {
    const wanted = await this.#wanted(signal);
    let reading: Promise<Page | undefined> = this.#read(db, this.#position, wanted);
    for (let page = await reading; page; page = await reading) {
      reading = this.#read(db, page.through, wanted);
      reading.catch(() => undefined); // told when it is awaited, unless the page before it ends this run
      if (!(await this.#publish(page.rows, signal))) return 'stopped';
      this.#position = page.through;
      if (this.options.nowMs() - this.#savedAtMs < this.options.limits.saveEveryMs) continue;
      if (!(await this.#save())) return 'stopped'; // J4
    }
    return (await this.#save()) ? 'done' : 'stopped';
  }

  /** Undefined: every key. Waits for the log, which alone knows how many partitions there are. */
  async #wanted(signal: AbortSignal): Promise<((key: string) => boolean) | undefined> {
    const { topic, partitions } = this.job.selection;
    if (topic === undefined || partitions === undefined) return undefined;
    const [described] = await this.options.log.describe([topic]);
    signal.throwIfAborted();
    if (!described) throw new TerminalError(`topic ${topic} is gone: its partitions can’t be told any more`);
    const chosen = new Set(partitions);
    return (key) => chosen.has(partitionOf(key, described.partitions));
  }

  async #read(
    db: PoolClient,
    after: bigint,
    wanted: ((key: string) => boolean) | undefined,
  ): Promise<Page | undefined> {
    const { limits } = this.options;
    const { selection, toPosition, perSecond } = this.job;
    if (after >= toPosition) return undefined;
    const end = after + BigInt(limits.windowPositions);
    const window = { after, through: end < toPosition ? end : toPosition };
    const rows = Math.min(limits.pageRows, perSecond ?? limits.pageRows);
    const found = await readPage(db, selection, window, { rows, bytes: limits.pageBytes });
    const bytes = found.reduce((sum, row) => sum + row.bytes, 0);
    const last = found.at(-1);
    const cut = last && (found.length >= rows || bytes >= limits.pageBytes);
    return {
      rows: wanted ? found.filter(({ key }) => wanted(key)) : found,
      through: cut ? last.position : window.through,
    };
  }

  /** J1. False when the job was ended meanwhile. */
  async #publish(page: readonly RelayRow[], signal: AbortSignal): Promise<boolean> {
    const { publisher, limits, logger } = this.options;
    await this.#keepRate(page.length, signal);
    let rows = page.map((row) => ({ ...row, headers: { ...row.headers, replayid: this.job.id } }));
    for (let failures = 0; rows.length > 0;) {
      signal.throwIfAborted();
      const { acknowledged, failed } = await publisher.publish({ rows, probe: false });
      this.#published += acknowledged.size;
      this.options.onPublished(acknowledged.size);
      rows = rows.filter((row) => !acknowledged.has(row));
      const refused = rows.find((row) => failed.get(row)?.terminal);
      if (refused) throw refusal(refused, failed.get(refused)?.error);
      if (rows.length === 0) return true;
      const [, failure] = [...failed][0] ?? [];
      const error = failure?.error ?? new Error('the log did not name every record that it was given');
      const afterMs = backoffMs(++failures, Math.random(), limits.backoff);
      logger.warn({ err: error, replayId: this.job.id, afterMs }, 'replay: waits for the log');
      if (!(await this.#save(error.message))) return false;
      await pause(afterMs, signal);
    }
    return true;
  }

  async #keepRate(records: number, signal: AbortSignal): Promise<void> {
    const { perSecond } = this.job;
    if (perSecond === undefined || records === 0) return;
    const now = this.options.nowMs();
    if (this.#nextAtMs > now) await pause(this.#nextAtMs - now, signal);
    this.#nextAtMs = Math.max(now, this.#nextAtMs) + (records * 1_000) / perSecond;
  }

  /** J2. False when the job was ended by somebody. */
  async #save(error?: string): Promise<boolean> {
    const progress = { position: this.#position, published: this.#published, error };
    const state = await saveProgress(this.options.pool, this.job.id, progress);
    this.#savedAtMs = this.options.nowMs();
    return state === 'running';
  }
}

function refusal({ position, eventId }: RelayRow, cause: Error | undefined): TerminalError {
  return new TerminalError(
    `the log refused event ${eventId} at position ${position} for good: ` +
      `${cause?.message ?? 'no reason given'}. ` +
      `Mend that, then replay from position ${position} on`,
    { cause },
  );
}
