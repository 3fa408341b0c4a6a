import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import type { FromService, ServiceSettings, ToService } from '../settings.js';
import { CLONE } from '../clone.js';

const MAIN = join(CLONE, 'e2e/dist/main.js');

/** How long a service may take to stop: its unit, its tasks, leaving its group. */
const STOP_MS = 45_000;
const LATE = Symbol('late');

const after = (ms: number): Promise<typeof LATE> =>
  new Promise((resolve) => setTimeout(resolve, ms, LATE).unref());

export interface ServiceProcessOptions {
  readonly name: string;
  readonly settings: ServiceSettings;
  /** Where its log goes: `<name>.log`. */
  readonly folder: string;
  onCommitted?(ids: readonly string[]): void;
}

/** One service as a process of its own, again and again: what was compiled, killed as `kill -9` does. */
export class ServiceProcess {
  #child: ChildProcess | undefined;
  #exited: Promise<unknown> | undefined;
  #expected = false;
  kills = 0;
  /** Whether it has said since its last start that it is up. */
  isReady = false;
  /** How it ended where nobody had asked it to. A service survives whatever happens around it. */
  readonly deaths: string[] = [];

  constructor(private readonly options: ServiceProcessOptions) {}

  get name(): string {
    return this.options.name;
  }

  /** Starts it; does not wait until it is ready: it has to come up whatever is away. */
  start(): void {
    const { name, settings, folder } = this.options;
    const log = openSync(join(folder, `${name}.log`), 'a');
    const child = fork(MAIN, {
      execArgv: ['--enable-source-maps'],
      env: { ...process.env, NODE_ENV: 'production', CRASH_TEST_SERVICE: JSON.stringify(settings) },
      stdio: ['ignore', log, log, 'ipc'],
    });
    closeSync(log);
    this.#expected = false;
    this.isReady = false;
    this.#child = child;
    child.on('message', (message: FromService) => {
      if (message.kind === 'ready') this.isReady = true;
      else this.options.onCommitted?.(message.ids);
    });
    child.on('exit', (code, signal) => {
      if (!this.#expected) this.deaths.push(`${name} ended by itself: ${code ?? signal}`);
    });
    this.#exited = once(child, 'exit');
  }

  async kill(): Promise<void> {
    this.#expected = true;
    this.kills++;
    this.#child?.kill('SIGKILL');
    await this.#exited;
  }

  tell(message: ToService): void {
    this.#child?.send(message, () => undefined); // one that was killed hears nothing
  }

  /** Stops it in good order. One that does not end by itself has left something open: that is a death. */
  async stop(): Promise<void> {
    this.#expected = true;
    this.tell('stop');
    const ended = await Promise.race([this.#exited, after(STOP_MS)]);
    if (ended !== LATE) return;
    this.deaths.push(`${this.name} did not end within ${STOP_MS / 1_000} s when it was asked to`);
    await this.kill();
  }
}
