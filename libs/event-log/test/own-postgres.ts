import { chmodSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, startPostgres, stopPostgres } from '../../../tools/start/postgres.mjs';
import { postgresLog, type PostgresLogOptions } from '../src/index.js';
import type { OwnServer } from './conformance/harness.js';

/** A Postgres of one test's own, which it may stop. */
export async function ownPostgres(
  options: Omit<PostgresLogOptions, 'url'> = {},
): Promise<OwnServer & { readonly url: string }> {
  const dir = mkdtempSync(join(tmpdir(), 'event-log-'));
  chmodSync(dir, 0o755); // the server's user must get in
  // Not the usual port: while this server is down, another test's would take it.
  const port = await freePort();
  const { url } = await startPostgres({ dir, port, durable: false });
  return {
    url,
    open: () => postgresLog({ url, ...options }),
    stop: async () => void (await stopPostgres({ dir })),
    start: async () => void (await startPostgres({ dir, port, durable: false })),
    dispose: async () => void (await stopPostgres({ dir, remove: true })),
  };
}
