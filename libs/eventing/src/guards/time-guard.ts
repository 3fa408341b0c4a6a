import type { EventLog } from '@aura/event-log';
import { InvariantError, type Logger, type Queryable } from '@aura/platform';
import type { ReplayJob } from '../operations/operations.js';
import type { SavedCursor } from '../outbox/cursor.js';
import { withLow, type PartitionMark } from '../outbox/marks.js';
import { awaitReplays, beginEpoch, lookAtEpoch } from './epoch-store.js';
import { keepFindings } from './finding-store.js';
import { checkTime } from './time-check.js';
import { subjectOf, wordsOf, type TimeFinding } from './time-went-backwards.js';

export interface TimeGuardOptions {
  readonly log: EventLog;
  readonly source: string;
  readonly topics: readonly string[];
  readonly logger: Logger;
  readonly tailWindow: number;
  /** How often a stopped leader looks again by itself, ms. */
  readonly recheckMs: number;
  readonly backoffMs: number;
  readonly nowMs: () => number;
  readonly findReplay: ((id: string) => Promise<ReplayJob | undefined>) | undefined;
}

/**
 * Keeps one leadership from publishing until outbox, cursor and topics tell the same story, and for as long
 * as they don't (E10). One check, from what was saved; a leader that sees something odd later gives up and
 * the next one is checked anew. A check that fails is no finding: it is made again. While the leader has
 * stopped, one statement per round is heartbeat and look: a mend, or `recheckMs`, begins a new leadership.
 */
export class TimeGuard {
  #clean = false;
  #findings: readonly TimeFinding[] | undefined;
  #checking = false;
  #dueAtMs = -Infinity;
  #waiting = '';

  constructor(
    private readonly db: Queryable,
    private readonly saved: { readonly cursor: SavedCursor; readonly epoch: bigint },
    private readonly options: TimeGuardOptions,
  ) {}

  /** Whether anything may be published. */
  get open(): boolean {
    return this.#clean;
  }

  /** Why nothing is published until somebody mends it. */
  get stopped(): InvariantError | undefined {
    if (!this.#findings) return undefined;
    const words = this.#findings.map(
      (finding) => `${wordsOf(finding)} (\`npm run aura -- relay mend ${finding.code}\`)`,
    );
    return new InvariantError(`the relay has stopped: ${words.join('. ')}${this.#waiting}`);
  }

  /** When the next check is due; undefined where none is. */
  get dueAtMs(): number | undefined {
    return this.#clean || this.#findings || this.#checking ? undefined : this.#dueAtMs;
  }

  /**
   * Checks once it is due; gives the marks that may move where all is well. Rejects where log or database
   * did not answer.
   */
  async check(): Promise<readonly PartitionMark[]> {
    this.#checking = true;
    try {
      const { findings, marks } = await checkTime(this.db, this.saved.cursor, {
        ...this.options,
        window: this.options.tailWindow,
      });
      await keepFindings(this.db, findings);
      if (findings.length === 0) this.#clean = true;
      else this.#stop(findings);
      return marks;
    } finally {
      this.#checking = false;
      this.#dueAtMs = this.options.nowMs() + this.options.backoffMs;
    }
  }

  /** A round of a stopped leader: true when a new leadership is to begin. */
  async look(): Promise<boolean> {
    const { epoch, replays } = await lookAtEpoch(this.db);
    if (epoch !== this.saved.epoch) return true;
    if (replays.length > 0) return this.#replayed(replays);
    return this.options.nowMs() >= this.#dueAtMs - this.options.backoffMs + this.options.recheckMs;
  }

  #stop(findings: readonly TimeFinding[]): void {
    this.#findings = findings;
    for (const finding of findings)
      this.options.logger.error(
        { code: finding.code, subject: subjectOf(finding) },
        `relay: stops publishing: ${wordsOf(finding)}`,
      );
  }

  /** What was lost goes before what is new: publishing waits for the replays, then the marks move (T3). */
  async #replayed(ids: readonly string[]): Promise<boolean> {
    const find = this.options.findReplay ?? (() => Promise.resolve(undefined));
    const jobs = await Promise.all(ids.map((id) => find(id)));
    const failed = ids.filter((_, at) => !['running', 'done'].includes(jobs[at]?.state ?? 'failed'));
    if (failed.length > 0) {
      await awaitReplays(this.db, []);
      this.#waiting = `. Replay ${failed.join(', ')} did not come to its end: mend again`;
      return false;
    }
    const published = jobs.reduce((sum, job) => sum + (job?.published ?? 0), 0);
    this.#waiting = `. Republishing (${ids.join(', ')}): ${published} records so far`;
    if (jobs.some((job) => job?.state === 'running')) return false;
    await this.#finish(ids);
    return true;
  }

  async #finish(ids: readonly string[]): Promise<void> {
    const losses = this.#findings?.flatMap((f) => (f.code === 'topic-behind' ? f.losses : [])) ?? [];
    const ends = new Map<string, bigint>();
    for (const topic of new Set(losses.map((loss) => loss.topic)))
      for (const { partition, end } of await this.options.log.bounds(topic))
        ends.set(`${topic}/${partition}`, end);
    const marks = this.saved.cursor.acknowledged.flatMap((mark) => {
      const loss = losses.find((of) => of.topic === mark.topic && of.partition === mark.partition);
      if (!loss) return [mark];
      const end = ends.get(`${mark.topic}/${mark.partition}`) ?? 0n;
      const lows = mark.lows.filter((low) => low.offset < loss.offset);
      const low = { offset: loss.offset, position: loss.from ?? 1n };
      return end === 0n ? [] : [{ ...mark, offset: end - 1n, position: undefined, lows: withLow(lows, low) }];
    });
    await beginEpoch(this.db, marks, 'topic-behind', `republished by ${ids.join(', ')}`);
  }
}
