import { EventEmitter } from 'node:events';
import type { PoolClient } from 'pg';
import { expect, it } from 'vitest';
import { assertHealthy, SwallowedSqlError } from './commit.js';

/** A client in the moment between an error's rejection and the end of the server's answer. */
class AnsweringClient extends EventEmitter {
  readyForQuery = false;
  _queryable = true;
  status = 'T';
  getTransactionStatus = (): string => this.status;
}

it('H1: waits for the end of the answer, where the failed state is told', async () => {
  const client = new AnsweringClient();
  const healthy = assertHealthy(client as unknown as PoolClient, 'Shop.paid');
  client.status = 'E';
  client.emit('drain');
  await expect(healthy).rejects.toBeInstanceOf(SwallowedSqlError);
});

it('does not wait for an answer that can no longer end', async () => {
  const client = new AnsweringClient();
  const healthy = assertHealthy(client as unknown as PoolClient, 'Shop.paid');
  client.emit('end');
  await expect(healthy).resolves.toBeUndefined();
  // oxlint-disable-next-line no-underscore-dangle -- pg's own name
  client._queryable = false;
  await expect(assertHealthy(client as unknown as PoolClient, 'Shop.paid')).resolves.toBeUndefined();
});
