import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { SubscribeOptions } from '../../src/index.js';
import type { Harness } from './harness.js';
import type { Reader } from './reader.js';

/**
 * A member in a process of its own, whose callbacks run here: it can be killed and frozen, and its reader
 * sees all.
 */
export interface ChildMember {
  /** As `kill -9`. */
  kill(): Promise<void>;
  freeze(): void;
  thaw(): void;
  /** Stops its subscription and ends the process. */
  stop(): Promise<void>;
}

export type Callback = 'onAssigned' | 'onRevoked' | 'onBatches' | 'onPartitionError' | 'onError';
export type Plain = Omit<SubscribeOptions, Callback>;
export type ToParent =
  | { kind: 'running' | 'stopped' }
  | { kind: 'failed'; error: string }
  | { kind: 'call'; id: number; callback: Callback; args: unknown[] };
export type ToChild =
  | { kind: 'subscribe'; module: string; config: unknown; options: Plain }
  | { kind: 'answer'; id: number; value?: unknown; error?: string }
  | { kind: 'stop' };

/** Starts a process that subscribes with the reader's options; resolves when its member runs. */
export async function childMember(harness: Harness, reader: Reader): Promise<ChildMember> {
  const child = fork(fileURLToPath(new URL('child-main.ts', import.meta.url)), {
    // The libs' sources as they are: no build stands between a change and its test.
    execArgv: [
      '--conditions=@aura/source',
      '--experimental-transform-types',
      '--disable-warning=ExperimentalWarning',
      '--import',
      new URL('child-hooks.mjs', import.meta.url).href,
    ],
    serialization: 'advanced', // bigints and buffers
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const exited = once(child, 'exit');
  const options = reader.options();
  const running = new Promise<void>((resolve, reject) => {
    child.on('message', (message: ToParent) => {
      if (message.kind === 'running') resolve();
      else if (message.kind === 'failed') reject(new Error(message.error));
      else if (message.kind === 'call') void answer(child, options, message);
    });
    void exited.then(() => reject(new Error('the child ended before its member ran')));
  });
  const { module, config } = harness.child;
  tell(child, { kind: 'subscribe', module: module.href, config, options: plainOf(options) });
  await running;
  return {
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    async stop() {
      if (child.exitCode === null && child.signalCode === null) tell(child, { kind: 'stop' });
      await exited;
    },
  };
}

/** What survives the way to another process. */
function plainOf(options: SubscribeOptions): Plain {
  const { group, topics, maxRecords, maxBytes, sessionTimeoutMs } = options;
  return {
    group,
    topics,
    ...(maxRecords !== undefined && { maxRecords }),
    ...(maxBytes !== undefined && { maxBytes }),
    ...(sessionTimeoutMs !== undefined && { sessionTimeoutMs }),
  };
}

async function answer(
  child: ChildProcess,
  options: SubscribeOptions,
  { id, callback, args }: Extract<ToParent, { kind: 'call' }>,
): Promise<void> {
  try {
    const call = (input: unknown[]): unknown => {
      if (callback === 'onBatches') input[1] = { signal: new AbortController().signal };
      return (options[callback] as (...all: unknown[]) => unknown)(...input);
    };
    tell(child, { kind: 'answer', id, value: await call(args) });
  } catch (error) {
    tell(child, { kind: 'answer', id, error: String(error) });
  }
}

function tell(child: ChildProcess, message: ToChild): void {
  if (child.connected) child.send(message, () => undefined); // a child that was killed hears nothing
}
