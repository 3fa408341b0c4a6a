import { EventEmitter } from 'node:events';
import { DatabaseError, type Pool } from 'pg';
import { describe, expect, it, vi } from 'vitest';
import { withClient } from './with-client.js';

/** As much of a pool as is asked for: one connection, with the listeners that it has while it is out. */
function onePool(): { pool: Pick<Pool, 'connect'>; client: EventEmitter; release: ReturnType<typeof vi.fn> } {
  const release = vi.fn();
  const client = Object.assign(new EventEmitter(), { release });
  const pool = { connect: () => Promise.resolve(client) } as unknown as Pick<Pool, 'connect'>;
  return { pool, client, release };
}
const refused = (code: string): DatabaseError => Object.assign(new DatabaseError('no', 2, 'error'), { code });

describe('withClient', () => {
  it('gives the result, and the connection back', async () => {
    const { pool, client, release } = onePool();
    await expect(withClient(pool, (given) => Promise.resolve(given === client))).resolves.toBe(true);
    expect(release.mock.calls).toEqual([[false]]);
    expect(client.listenerCount('error')).toBe(0);
  });

  it("hears the connection's error while it is out, and closes it", async () => {
    const { pool, client, release } = onePool();
    const work = withClient(pool, () => Promise.resolve(client.emit('error', new Error('server is gone'))));
    await expect(work).resolves.toBe(true); // somebody listened
    expect(release.mock.calls).toEqual([[true]]);
    expect(client.listenerCount('error')).toBe(0);
  });

  it.each([
    ['a refusal by the server', refused('23505'), false],
    ['a server that is going down', refused('57P01'), true],
    ['an answer that never came', new Error('Query read timeout'), true],
  ])('after %s closes the connection: %o -> %s', async (_what, error, closed) => {
    const { pool, release } = onePool();
    await expect(withClient(pool, () => Promise.reject(error))).rejects.toBe(error);
    expect(release.mock.calls).toEqual([[closed]]);
  });
});
