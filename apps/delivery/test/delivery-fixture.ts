import { randomUUID } from 'node:crypto';
import { UnitsOfWork, type Work } from '@aura/eventing';
import { silentLogger, type Clock, type Logger } from '@aura/platform';
import type { Ask, Vote } from '@aura/saga';
import type { DeliverySlot } from '@aura/schemas';
import { startService, type RunningService } from '@aura/service';
import { testDatabase } from '@aura/testing';
import type { Client } from 'pg';
import { keepAddress } from '../src/address-store.js';
import { delivery } from '../src/delivery.js';
import { DeliveryParticipant } from '../src/delivery.participant.js';

export interface Fixture {
  readonly service: RunningService;
  readonly db: Client;
  readonly participant: DeliveryParticipant;
  /** One unit of work, committed. */
  run<T>(fn: (work: Work) => Promise<T>): Promise<T>;
  addressIn(region: string): Promise<string>;
  /** A second replica on the same databases, with its own settings; stopped with the first. */
  replica(environment: Record<string, string>): Promise<RunningService>;
  stop(): Promise<void>;
}

export interface FixtureOptions {
  readonly environment?: Record<string, string>;
  readonly logger?: Logger;
  readonly clock?: Clock;
}

/** The whole service, on databases of its own. */
export async function startDelivery(options: FixtureOptions = {}): Promise<Fixture> {
  const [own, log] = [await testDatabase('delivery'), await testDatabase('log')];
  const replicas: RunningService[] = [];
  const replica = async (environment: Record<string, string>): Promise<RunningService> => {
    const { logger = silentLogger, clock } = options;
    const started = await startService({
      ...delivery,
      logger,
      ...(clock ? { clock } : {}),
      port: 0,
      environment: {
        AURA_DATABASE_URL: own.url,
        AURA_LOG_URL: log.url,
        AURA_CREATE_TOPICS: 'true',
        ...options.environment,
        ...environment,
      },
    });
    replicas.push(started);
    return started;
  };
  const stop = async (): Promise<void> => {
    for (const each of replicas) await each.stop();
    await own.drop();
    await log.drop();
  };
  try {
    const service = await replica({});
    const units = service.app.get(UnitsOfWork);
    const run = <T>(fn: (work: Work) => Promise<T>): Promise<T> => units.run(fn);
    return {
      service,
      db: await own.client(),
      participant: service.app.get(DeliveryParticipant),
      run,
      addressIn: (region) => run((work) => keepAddress(work, region, ['Jane Doe', '1 Main Street'])),
      replica,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

export function ask(addressRef: string, input: Partial<DeliverySlot> = {}): Ask<DeliverySlot> {
  return {
    sagaId: randomUUID(),
    branch: 'delivery',
    coordinator: 'checkout',
    deadline: new Date(Date.now() + 60_000),
    input: { addressRef, parcels: 1, notBefore: null, contents: [], ...input },
  };
}

/** A vote as a test reads it: when the slot starts, or the refusal's code. */
export function said(vote: Vote): string {
  return vote.prepared ? (vote.reply as { startsAt: string }).startsAt : vote.code;
}

/**
 * Slots whose counters are not the sums of their bookings: none, whatever happened. What a CHECK of one row
 * can't say.
 */
export async function unbalanced(db: Client): Promise<object[]> {
  const { rows } = await db.query(`
    select slot.id, slot.held, slot.booked, sums.held as really_held, sums.booked as really_booked
      from slot cross join lateral (
        select coalesce(sum(parcels) filter (where state = 'HELD'), 0)::int as held,
               coalesce(sum(parcels) filter (where state = 'BOOKED'), 0)::int as booked
          from slot_booking where slot_id = slot.id) as sums
     where (slot.held, slot.booked) is distinct from (sums.held, sums.booked)`);
  return rows;
}

export async function counters(db: Client): Promise<{ held: number; booked: number; free: number }> {
  const { rows } = await db.query(`select sum(held)::int as held, sum(booked)::int as booked,
    sum(capacity - held - booked)::int as free from slot`);
  return rows[0] as { held: number; booked: number; free: number };
}
