import { AsyncLocalStorage } from 'node:async_hooks';
import type { Logger } from '@aura/platform';

/** Whose work this is: set per service (several may share a process) and per request. */
export interface Scope {
  readonly logger: Logger;
  readonly requestId?: string;
}

const storage = new AsyncLocalStorage<Scope>();

/** Runs `fn`, and all that it starts, as work of `scope`. */
export function inScope<T>(scope: Scope, fn: () => T): T {
  return storage.run(scope, fn);
}

/** The scope of the running code; undefined outside of any service. */
export function currentScope(): Scope | undefined {
  return storage.getStore();
}
