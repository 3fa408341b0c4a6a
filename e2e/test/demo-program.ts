import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { settled } from '@aura/testing';
import { postgresStatus, stopPostgres } from '@aura/tools/postgres';
import { CLONE } from '../src/clone.js';

/** A start has a database to make and models to load, on a busy machine. */
const START = { withinMs: 120_000, everyMs: 20 };

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The demo as a person starts it, with a folder of its own that outlives each run. */
export class Demo {
  readonly dir = demoFolder();

  /** `env`: on top of this process's. */
  constructor(private readonly env: Readonly<Record<string, string>> = {}) {}

  /** Runs it to its end. */
  async run(...args: string[]): Promise<Ended> {
    const running = this.start(...args);
    return running.ended;
  }

  start(...args: string[]): RunningDemo {
    return new RunningDemo(['--dir', this.dir, ...args], this.env);
  }

  get postgres(): { readonly running: boolean; readonly pid?: number; readonly url?: string } | null {
    return postgresStatus({ dir: join(this.dir, 'postgres') });
  }

  /** Of a service's database, while Postgres runs. */
  databaseUrl(name: string): string {
    return Object.assign(new URL(this.postgres?.url ?? ''), { pathname: `/${name}` }).href;
  }

  /** Throws the data away, whatever runs on it. */
  async dispose(): Promise<void> {
    await stopPostgres({ dir: join(this.dir, 'postgres'), remove: true });
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** One run of the demo, in a process group of its own. */
export class RunningDemo {
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcess;
  #stdout = '';
  #stderr = '';

  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const main = join(CLONE, 'apps/local/dist/main.js');
    this.#child = spawn(process.execPath, ['--enable-source-maps', main, ...args], {
      cwd: CLONE,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env, NODE_ENV: 'production' },
      detached: true,
    });
    this.#child.stdout?.on('data', (chunk: Buffer) => (this.#stdout += chunk.toString()));
    this.#child.stderr?.on('data', (chunk: Buffer) => (this.#stderr += chunk.toString()));
    this.ended = once(this.#child, 'close').then(() => ({
      code: this.#child.exitCode,
      stdout: this.#stdout,
      stderr: this.#stderr,
    }));
  }

  /** The line of `--json`: everything has been started, the photo is through and the outfits are bought. */
  async summary(): Promise<Summary> {
    const line = await settled(
      'the demo has done what it shows',
      () => {
        if (this.#child.exitCode !== null) throw new Error(`it ended: ${this.#stderr}`);
        return /^\{.*\}\n/m.exec(this.#stdout)?.[0];
      },
      START,
    );
    const said = JSON.parse(line) as Summary | { readonly ok: false; readonly error: string };
    if ('error' in said) throw new Error(`the demo failed: ${said.error}\n${this.#stderr}`);
    return said;
  }

  /** Ctrl-C. */
  interrupt(): Promise<Ended> {
    this.#child.kill('SIGINT');
    return this.ended;
  }

  /** As `kill -9` of it alone. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ended;
  }

  /** As `kill -9` of it and everything it started; the Postgres is a daemon of its own and stays. */
  async killAll(): Promise<void> {
    const family = [this.#child.pid as number, ...this.descendants()];
    for (const pid of family) killIfThere(pid);
    await this.ended;
  }

  /** What it has started and still runs. */
  descendants(): number[] {
    return descendantsOf(this.#child.pid as number);
  }
}

export interface Summary {
  readonly ok: boolean;
  readonly analysis: AnalysisView;
  readonly purchases: readonly PurchaseSummary[];
  /** Of the one that was bought. */
  readonly returned: ReturnSummary;
  readonly services: Readonly<
    Record<'gateway' | 'image-analysis' | 'inventory' | 'payments' | 'delivery' | 'checkout', string>
  >;
}

/** One purchase: what became of it, and how it was seen to move. */
export interface PurchaseSummary {
  readonly name: 'bought' | 'declined' | 'killed';
  readonly ok: boolean;
  readonly id: string;
  readonly state: string;
  readonly settled: boolean;
  readonly decidedAt: string;
  readonly totalCents: number;
  readonly why: { readonly branch: string } | null;
  readonly lines: readonly { readonly sku: string; readonly quantity: number; readonly priceCents: number }[];
  readonly steps: readonly { readonly what: string; readonly state: string; readonly ms: number }[];
  readonly again: { readonly status: number; readonly id: string };
  readonly books: {
    readonly stock: readonly { readonly before: number; readonly after: number; readonly quantity: number }[];
    readonly delivery: string | null;
    readonly payment: string | null;
  };
  readonly kill?: {
    readonly pid: number;
    readonly killedMs: number;
    readonly decidedMs: number;
    readonly backMs: number;
  };
}

/** What came back, and how it was seen to move. */
export interface ReturnSummary {
  readonly ok: boolean;
  readonly state: string;
  readonly settled: boolean;
  readonly refundCents: number;
  readonly totalMs: number;
  readonly steps: readonly { readonly what: string; readonly state: string; readonly ms: number }[];
  readonly books: {
    readonly stock: readonly { readonly before: number; readonly after: number }[];
    readonly payment: string | null;
    readonly pickUp: string | null;
    readonly notices: number;
  };
}

export interface AnalysisView {
  readonly id: string;
  readonly state: string;
  readonly steps: readonly { readonly name: string }[];
}

function demoFolder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'aura-demo-'));
  chmodSync(dir, 0o755); // the server's user must get in
  return dir;
}

function descendantsOf(root: number): number[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n');
  const pairs = lines.map((line) => line.trim().split(/\s+/).map(Number) as [number, number]);
  const found: number[] = [];
  for (const parents = [root]; parents.length > 0;) {
    const parent = parents.pop();
    const children = pairs.filter(([, ppid]) => ppid === parent).map(([pid]) => pid);
    found.push(...children);
    parents.push(...children);
  }
  return found;
}

export function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; // it was quicker
  }
}
