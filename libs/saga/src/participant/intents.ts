/**
 * Branches that ask outside: the tasks that talk to somebody there. A task's lease says who may; at most one
 * task of a branch is there at any time, and none talks within a transaction. How they end:
 * intent-endings.ts.
 *
 * What many of them read, note and write at the same time is one statement, or one transaction.
 */
import type { SetTaskHandler } from '@aura/eventing';
import { asError, GroupCommit, TransientError, type Clock } from '@aura/platform';
import { trace } from '@opentelemetry/api';
import type { Pool } from 'pg';
import type { ParticipantContext } from './asks-of-unit.js';
import { findBranches, noteCalls } from './barrier-store.js';
import { keyOf, type BranchKey, type BranchRow } from './branch-row.js';
import { kindOf } from './branch-tasks.js';
import { IntentEndings } from './intent-endings.js';
import { nextStep } from './intent-rules.js';
import { askIn, externalOf } from './known-branches.js';
import type { Answer, OutsideCall } from './participant.js';

/** Calls of one process that are under way; their participant may bound them further. */
const CONCURRENCY = 128;
const MAX_BACKOFF_MS = 10_000;

export interface IntentContext extends ParticipantContext {
  readonly pool: Pool;
  readonly clock: Clock;
}

export class Intents {
  readonly #rows: GroupCommit<BranchKey, BranchRow | undefined>;
  /** X1. True: the call may be made. */
  readonly #notes: GroupCommit<BranchKey, boolean>;
  readonly #endings: IntentEndings;

  constructor(private readonly context: IntentContext) {
    const { pool, clock } = context;
    this.#rows = new GroupCommit(async (keys) => {
      const rows = await findBranches(pool, keys);
      return keys.map((key) => rows.get(keyOf(key)));
    });
    this.#notes = new GroupCommit(async (keys) => {
      const noted = await noteCalls(pool, keys, clock.now());
      return keys.map((key) => noted.has(keyOf(key)));
    });
    this.#endings = new IntentEndings(context);
  }

  tasks(): [SetTaskHandler<BranchKey, Answer | undefined>, SetTaskHandler<BranchKey, boolean>] {
    const endless = { maxAttempts: Infinity, concurrency: CONCURRENCY, maxBackoffMs: MAX_BACKOFF_MS };
    return [
      {
        ...endless,
        kind: kindOf('call'),
        run: (task, signal) => this.#outcomeOf(task.payload, signal),
        endAll: (called, work) => this.#endings.called(called, work),
      },
      {
        ...endless,
        kind: kindOf('release'),
        run: (task, signal) => this.#release(task.payload, signal),
        endAll: (released, work) => this.#endings.released(released, work),
      },
    ];
  }

  /** What they said; undefined where nobody wants to know any more. Throws while it is unknown. */
  async #outcomeOf(key: BranchKey, signal: AbortSignal): Promise<Answer | undefined> {
    const { clock, branches } = this.context;
    nameSpan('call', key);
    const row = await this.#rows.add(key);
    if (row?.state !== 'CALLING' && row?.state !== 'STOPPING') return undefined;
    const branch = externalOf(row, branches);
    const { participant, outside } = branch;
    const ask = askIn(row, branch);
    let step = nextStep(row, 'not-asked', clock.now(), outside);
    if (step === 'look-up') {
      const found = await within(outside.callTimeoutMs, row, signal, (call) => participant.lookUp(ask, call));
      if (found) return found;
      step = nextStep(row, 'nothing', clock.now(), outside);
    }
    if (step === 'over') return { accepted: false, code: 'unreachable', reason: UNREACHABLE };
    if (step !== 'call')
      throw new TransientError(`the call of ${keyOf(key)} may still arrive: it is looked up again later`);
    // X4: it was told to stop since it was read.
    if (!(await this.#notes.add(key))) return this.#outcomeOf(key, signal);
    return within(outside.callTimeoutMs, row, signal, (call) => participant.call(ask, call));
  }

  /** False: nothing is to be given back. */
  async #release(key: BranchKey, signal: AbortSignal): Promise<boolean> {
    nameSpan('release', key);
    const row = await this.#rows.add(key);
    if (row?.state !== 'STOPPING' && row?.state !== 'RELEASING') return false;
    const branch = externalOf(row, this.context.branches);
    const ask = askIn(row, branch);
    await within(branch.outside.callTimeoutMs, row, signal, (call) => branch.participant.release(ask, call));
    return true;
  }
}

/** The task's span, by what it is for whoever reads the trace of a saga. */
function nameSpan(what: 'call' | 'release', { sagaId, branch }: BranchKey): void {
  trace
    .getActiveSpan()
    ?.updateName(`aura.saga.${what} ${branch}`)
    .setAttributes({ 'aura.saga.id': sagaId, 'aura.saga.branch': branch });
}

const UNREACHABLE = 'it was not called in time, and nothing of it has arrived there';

/** A call with a bound: what goes on after it is unknown. */
async function within<T>(
  timeoutMs: number,
  key: BranchKey,
  signal: AbortSignal,
  fn: (call: OutsideCall) => Promise<T>,
): Promise<T> {
  const both = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  return new Promise<T>((resolve, reject) => {
    const late = (): void => reject(asError(both.reason));
    if (both.aborted) return late();
    both.addEventListener('abort', late, { once: true });
    fn({ idempotencyKey: keyOf(key), signal: both })
      .then(resolve, reject)
      .finally(() => both.removeEventListener('abort', late));
  });
}
