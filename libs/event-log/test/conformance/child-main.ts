// A member in a process of its own: its callbacks are calls to the parent. Started by child.ts.
import type { EventLog } from '../../src/index.js';
import type { Callback, ToChild, ToParent } from './child.js';

const waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
let calls = 0;
let stop = async (): Promise<void> => undefined;

const tell = (message: ToParent): void => void process.send?.(message);

function callback(name: Callback): (...args: unknown[]) => Promise<never> {
  return (...args) =>
    new Promise<never>((resolve, reject) => {
      const id = calls++;
      waiting.set(id, { resolve, reject });
      tell({ kind: 'call', id, callback: name, args: args.filter((a) => !isContext(a)) });
    });
}

const isContext = (arg: unknown): boolean => typeof arg === 'object' && arg !== null && 'signal' in arg;

async function subscribe({
  module,
  config,
  options,
}: Extract<ToChild, { kind: 'subscribe' }>): Promise<void> {
  const adapter = (await import(module)) as { open: (config: unknown) => EventLog };
  const log = adapter.open(config);
  const subscription = await log.subscribe({
    ...options,
    onAssigned: callback('onAssigned'),
    onRevoked: callback('onRevoked'),
    onBatches: callback('onBatches'),
    onPartitionError: (...args) => void callback('onPartitionError')(...args),
    onError: (...args) => void callback('onError')(...args),
  });
  stop = async () => {
    await subscription.stop();
    await log.close();
    tell({ kind: 'stopped' });
    process.disconnect();
  };
  tell({ kind: 'running' });
}

process.on('message', (message: ToChild) => {
  if (message.kind === 'stop') void stop();
  else if (message.kind === 'subscribe')
    subscribe(message).catch((error: unknown) => tell({ kind: 'failed', error: String(error) }));
  else {
    const { id, value, error } = message;
    if (error === undefined) waiting.get(id)?.resolve(value as never);
    else waiting.get(id)?.reject(new Error(error));
    waiting.delete(id);
  }
});
// Without its parent a member would go on for ever.
process.on('disconnect', () => process.exit());
