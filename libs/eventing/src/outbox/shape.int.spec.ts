import { InvariantError, silentLogger, type Queryable } from '@aura/platform';
import { settled } from '@aura/testing';
import type { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OutboxKit } from '../../test/outbox-kit.js';
import { LockSession } from './lock-session.js';
import { checkSessionState } from './shape.js';

let kit: OutboxKit;
let admin: Client;
beforeEach(async () => {
  kit = await OutboxKit.make('shape');
  admin = await kit.database.client();
});
afterEach(() => kit.drop());

const start = (): Promise<void> => kit.relay({ logger: silentLogger }).start();

describe('the outbox that a relay accepts', () => {
  it('is the one of the migrations', async () => {
    await expect(start()).resolves.toBeUndefined();
  });

  it('H7: hands out positions one at a time', async () => {
    await admin.query('alter table aura.outbox alter column position set cache 10');
    await expect(start()).rejects.toThrow(InvariantError);
    await expect(start()).rejects.toThrow(/10 at a time.*set cache 1/);
  });

  it('H7: draws the xid before the position', async () => {
    await admin.query(
      `alter table aura.outbox drop column xid;
       alter table aura.outbox add column xid xid8 not null default pg_current_xact_id()`,
    );
    await expect(start()).rejects.toThrow(/stand before position/);
  });

  it('H7: draws the xid by itself', async () => {
    await admin.query('alter table aura.outbox alter column xid drop default');
    await expect(start()).rejects.toThrow(/default to pg_current_xact_id/);
  });

  it('is written by sessions that wait for the disk', async () => {
    const name = new URL(kit.database.url).pathname.slice(1);
    await admin.query(`alter database ${name} set synchronous_commit = off`);
    await expect(start()).rejects.toThrow(/synchronous_commit is off/);
  });

  it('is found wrong by a later leader, too, which then publishes nothing', async () => {
    const relay = kit.relay({ standbyMs: 10 });
    await admin.query('alter table aura.outbox alter column position set cache 10');
    await expect(relay.runOnce()).rejects.toThrow(InvariantError);
    expect(relay.status()).toMatchObject({ leader: false, lastError: expect.any(InvariantError) });
  });
});

describe('the connection that a relay accepts', () => {
  it('keeps what a statement has set: not a pooler in transaction mode', async () => {
    const backends = [await kit.database.client(), await kit.database.client()];
    const taken = new Map<Queryable, Client>();
    /** Gives each transaction the first backend that is free, as PgBouncer does. */
    const pooled = (): Queryable => {
      const self: Queryable = {
        query: (config) => {
          const mine = taken.get(self) ?? backends.find((b) => ![...taken.values()].includes(b));
          if (!mine) throw new Error('no backend is free');
          if (config.text === 'begin') taken.set(self, mine);
          if (config.text === 'rollback') taken.delete(self);
          return mine.query(config);
        },
      };
      return self;
    };
    await expect(checkSessionState(pooled(), pooled(), 'a')).rejects.toThrow(/transaction mode/);
    const [one, other] = backends as [Client, Client];
    await expect(checkSessionState(one, other, 'b')).resolves.toBeUndefined();
  });

  it('H23: loses its lock when it falls silent', async () => {
    const lost = Promise.withResolvers<void>();
    const silent = await LockSession.open({ connectionString: kit.database.url }, () => lost.resolve());
    expect(await silent.tryLock()).toBe(true);
    await settled('another has the lock', async () => {
      const other = await LockSession.open({ connectionString: kit.database.url }, () => undefined);
      const locked = await other.tryLock();
      await other.close();
      return locked;
    });
    await lost.promise;
    await expect(silent.heartbeat()).rejects.toThrow(/lost/);
  });
});
