/**
 * Named checks behind the three probes.
 *
 * - K1 a check never throws out of here, never takes longer than its time limit, and never runs twice at
 *   once: a dependency that hangs costs one pending call, however often it is asked for;
 * - K2 what is missing is said in words, by name;
 * - K3 readiness ends before the service stops taking requests.
 */
import { codeOf } from '@aura/platform';

/** `live`: restart me if this fails. `ready`: send me no requests. `started`: I am still starting. */
export type Probe = 'live' | 'ready' | 'started';

/**
 * Resolves where all is well, to a few words about it where there is something to say; rejects with what is
 * missing.
 */
export type HealthCheck = () => Promise<string | void>;

export interface CheckOptions {
  /** Default: `ready`. Only what a restart cures belongs to `live`. */
  readonly probe?: Probe;
  /** A check that takes longer is down (ms). Default 2,000. */
  readonly timeoutMs?: number;
}

export interface CheckResult {
  readonly status: 'up' | 'down';
  /** The words of the check, or what is wrong. */
  readonly detail?: string;
}

export interface HealthReport {
  readonly ok: boolean;
  /** One sentence: what is missing, or that nothing is. */
  readonly detail: string;
  readonly checks: Readonly<Record<string, CheckResult>>;
}

type Phase = 'starting' | 'running' | 'stopping';

export class Health {
  readonly #checks: { name: string; probe: Probe; timeoutMs: number; run: () => Promise<CheckResult> }[] = [];
  #phase: Phase = 'starting';

  /** Registers a check. Throws where the name is taken: two checks under one name would hide each other. */
  add(name: string, check: HealthCheck, { probe = 'ready', timeoutMs = 2_000 }: CheckOptions = {}): void {
    if (this.#checks.some((known) => known.name === name && known.probe === probe))
      throw new Error(`there is already a check ${name} for ${probe}`);
    this.#checks.push({ name, probe, timeoutMs, run: oneAtATime(check) });
  }

  started(): void {
    if (this.#phase === 'starting') this.#phase = 'running';
  }

  /** K3: from now on not ready. */
  stopping(): void {
    this.#phase = 'stopping';
  }

  async report(probe: Probe): Promise<HealthReport> {
    const mine = this.#checks.filter((check) => check.probe === probe);
    const results = await Promise.all(mine.map((check) => within(check.timeoutMs, check.run())));
    const checks = Object.fromEntries(mine.map(({ name }, i) => [name, results[i] as CheckResult]));
    const missing = Object.entries(checks)
      .filter(([, { status }]) => status === 'down')
      .map(([name, { detail }]) => `${name} (${detail})`);
    if (probe !== 'live' && this.#phase === 'starting') missing.unshift('the service is still starting');
    if (probe === 'ready' && this.#phase === 'stopping') missing.unshift('the service is stopping');
    const ok = missing.length === 0;
    return {
      ok,
      detail: ok ? `${probe}: nothing is missing` : `not ${probe}: ${missing.join('; ')}`,
      checks,
    };
  }
}

/** Joins the call under way instead of starting another. Resolves always. */
function oneAtATime(check: HealthCheck): () => Promise<CheckResult> {
  let current: Promise<CheckResult> | undefined;
  const once = async (): Promise<CheckResult> => {
    try {
      const words = await check();
      return { status: 'up', ...(words ? { detail: words } : {}) };
    } catch (error) {
      return { status: 'down', detail: wordsOf(error) };
    } finally {
      current = undefined;
    }
  };
  return () => (current ??= once());
}

async function within(timeoutMs: number, result: Promise<CheckResult>): Promise<CheckResult> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<CheckResult>((resolve) => {
    timer = setTimeout(
      () => resolve({ status: 'down', detail: `no answer within ${timeoutMs} ms` }),
      timeoutMs,
    );
  });
  try {
    return await Promise.race([result, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** An AggregateError of Node's dual-stack connect has an empty message: its code says more. */
function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message || codeOf(error) || error.name;
}
