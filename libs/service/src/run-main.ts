import { AuraError } from '@aura/platform';
import type { z } from 'zod';
import { startService, type ServiceDefinition } from './start-service.js';

/** Exit codes: 0 stopped when asked, 1 could not start, 128 + signal number when told twice. */
const SIGNAL_NUMBERS = { SIGINT: 2, SIGTERM: 15 } as const;

/**
 * The whole of a `main.ts`: starts the service with the process's environment and telemetry, and stops it in order at the
 * first SIGINT or SIGTERM; a second one ends the process at once. A failed start is one readable sentence on the standard
 * error (a stack only where the fault is not of a known kind) and exit code 1. The only place that listens to signals.
 */
export async function runMain<S extends z.ZodRawShape>(service: ServiceDefinition<S>): Promise<void> {
  const { name } = service.config;
  const asked = firstSignal();
  try {
    const starting = startService({ ...service, environment: process.env, telemetry: true });
    const running = await starting;
    await asked;
    await running.stop();
    process.exitCode = 0;
  } catch (error) {
    process.stderr.write(`${sentenceOf(name, error)}\n`);
    process.exitCode = 1;
  }
}

/** Resolves at the first signal, from when on a second one is the end. */
function firstSignal(): Promise<void> {
  return new Promise((resolve) => {
    let told = false;
    for (const [signal, number] of Object.entries(SIGNAL_NUMBERS))
      process.on(signal, () => {
        if (told) process.exit(128 + number);
        told = true;
        resolve();
      });
  });
}

/** What a person reads who started the service. Causes are named: "the database does not answer" is not the whole story. */
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
