import { Piscina } from 'piscina';
// Loaded here although only the workers use it: libvips must be started by the main thread to survive theirs.
import 'sharp';
import type { Analysis } from './analysis.js';
import { AnalyserBusyError, AnalysisTimeoutError, UnreadablePictureError } from './errors.js';
import { Turns } from './turns.js';
import type { Answer } from './worker.js';

/**
 * The garment analyser: pictures in, `Analysis` out, all work in worker threads.
 *
 * A1 the same bytes give the same answer.
 * A2 pixels are never touched on the caller's event loop.
 * A3 bounded: threads, queue, time and pixels each have a limit; over it comes an error, never a longer wait.
 * A4 an analysis that is aborted or out of time has its thread ended, and a new thread serves the next one.
 */
export class Analyser {
  readonly #pool: Piscina<Uint8Array, Answer>;
  readonly #turns: Turns;
  readonly #timeLimitMs: number;
  readonly #closing = new AbortController();

  constructor(options: AnalyserOptions = {}) {
    const { threads = 2, queue = 64, timeLimitMs = 30_000, worker = WORKER } = options;
    this.#timeLimitMs = timeLimitMs;
    this.#turns = new Turns(threads, queue);
    this.#pool = new Piscina<Uint8Array, Answer>({
      filename: worker.href,
      minThreads: 0,
      maxThreads: threads,
      idleTimeout: IDLE_MS,
      resourceLimits: { maxOldGenerationSizeMb: 256 },
    });
  }

  /**
   * Analyses one picture; `bytes` may be changed or reused as soon as this has returned its promise. Throws
   * `UnreadablePictureError` (terminal), `AnalysisTimeoutError` and `AnalyserBusyError` (transient), and
   * the signal's reason where the caller aborts. Loading the model makes a thread's first analysis some 300
   * ms slower.
   */
  async analyse(bytes: Uint8Array, signal?: AbortSignal): Promise<Analysis> {
    const copy = Uint8Array.from(bytes);
    const stop =
      signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal]);
    if (!(await this.#turns.enter(stop)))
      throw new AnalyserBusyError(
        `no picture can be taken: all threads work and the queue is full; try again later`,
      );
    try {
      return unwrap(await this.#run(copy, stop), bytes.length);
    } finally {
      this.#turns.leave();
    }
  }

  /** Ends every analysis, waiting or running, with `AnalyserBusyError`, and the threads with them. */
  async close(): Promise<void> {
    this.#closing.abort(new AnalyserBusyError('the analyser was closed'));
    await this.#pool.destroy();
  }

  async #run(bytes: Uint8Array<ArrayBuffer>, stop: AbortSignal): Promise<Answer> {
    const late = AbortSignal.timeout(this.#timeLimitMs);
    try {
      return await this.#pool.run(bytes, {
        signal: AbortSignal.any([stop, late]),
        transferList: [bytes.buffer],
      });
    } catch (error) {
      stop.throwIfAborted();
      if (late.aborted)
        throw new AnalysisTimeoutError(
          `the analysis took longer than ${this.#timeLimitMs} ms and was ended`,
          {
            cause: error,
          },
        );
      throw error;
    }
  }
}

export interface AnalyserOptions {
  /** Analyses at the same time; each thread holds some 60 MB. */
  readonly threads?: number;
  /** Pictures that may wait. */
  readonly queue?: number;
  /** For one analysis, from its turn on, a thread's start included. */
  readonly timeLimitMs?: number;
  /** Another worker module: tests use one that hangs. */
  readonly worker?: URL;
}

const IDLE_MS = 60_000;
const WORKER = new URL(
  import.meta.url.endsWith('.ts') ? './worker-source.mjs' : './worker.js',
  import.meta.url,
);

function unwrap(answer: Answer, length: number): Analysis {
  if ('analysis' in answer) return answer.analysis;
  throw new UnreadablePictureError(`${length} bytes are no readable picture: ${answer.unreadable}`);
}
