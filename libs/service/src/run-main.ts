import { AuraError } from '@aura/platform';
import type { z } from 'zod';
import { startService, type ServiceDefinition } from './start-service.js';

/** What a service of its own process says to who forked it. */
export const LISTENS = 'listens';

/** Exit codes: 0 stopped when asked, 1 could not start, 128 + number of the signal when told twice. */
const SIGNAL_NUMBERS = { SIGINT: 2, SIGTERM: 15 } as const;
/** How long after a clean stop the process may linger (ms). */
const LINGER_MS = 1_000;

/**
 * The whole of a `main.ts`: starts the service with the process's environment and telemetry, and stops it
 * in order at the first SIGINT or SIGTERM; a second one ends the process at once. A failed start is one
 * readable sentence on the standard error (a stack only where the fault is not of a known kind) and exit
 * code 1. The only place that listens to signals. A parent process that forked it is sent `LISTENS` once it
 * has started: another program may answer at the address that it was meant to have.
 */
export async function runMain<S extends z.ZodRawShape>(service: ServiceDefinition<S>): Promise<void> {
  const asked = firstSignal();
  process.exitCode = await runUntil(asked, service);
  // Whatever still keeps the process alive has had its time to stop.
  setTimeout(() => process.exit(), LINGER_MS).unref();
}

async function runUntil<S extends z.ZodRawShape>(
  asked: AbortSignal,
  service: ServiceDefinition<S>,
): Promise<number> {
  try {
    const running = await startService({
      ...service,
      environment: process.env,
      telemetry: true,
      signal: asked,
    });
    process.send?.(LISTENS, undefined, undefined, () => undefined); // a parent that is gone hears nothing
    await aborted(asked);
    await running.stop();
    return 0;
  } catch (error) {
    if (asked.aborted) return 0;
    process.stderr.write(`${sentenceOf(service.config.name, error)}\n`);
    return 1;
  }
}

/** Aborted by the first signal, from when on a second one is the end. */
function firstSignal(): AbortSignal {
  const asked = new AbortController();
  for (const [signal, number] of Object.entries(SIGNAL_NUMBERS))
    process.on(signal, () => {
      if (asked.signal.aborted) process.exit(128 + number);
      asked.abort();
    });
  return asked.signal;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/**
 * What a person reads who started the service. Causes are named: "the database does not answer" is not the
 * whole story.
 */
export function sentenceOf(name: string, error: unknown): string {
  if (!(error instanceof AuraError)) {
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return `${name} can't start: ${stack}`;
  }
  const causes: string[] = [];
  for (let at = error.cause; at instanceof Error && causes.length < 5; at = at.cause)
    causes.push(at.message || at.name);
  const opening = error.message.startsWith(name) ? error.message : `${name} can't start: ${error.message}`;
  return causes.length === 0 ? opening : `${opening} (${causes.join(': ')})`;
}
