import { randomUUID } from 'node:crypto';
import type { Ask } from '@aura/saga';
import type { DeliverySlot } from '@aura/schemas';
import { seeded, type Seeded } from '@aura/testing';
import type { Client } from 'pg';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { ask, said, startDelivery, unbalanced, type Fixture } from './delivery-fixture.js';

type Asked = Ask<DeliverySlot>;

const REGIONS = ['East', 'North', 'South'];
let fixture: Fixture;
let regionOf: Map<string, string>;
beforeAll(async () => {
  fixture = await startDelivery({
    environment: {
      AURA_REGIONS: REGIONS.join(),
      AURA_SLOT_DAYS_AHEAD: '3',
      AURA_SLOTS_PER_DAY: '2',
      AURA_SLOT_CAPACITY: '7',
    },
  });
  regionOf = new Map();
  for (const region of REGIONS) regionOf.set(await fixture.addressIn(region), region);
});
afterAll(() => fixture.stop());
beforeEach(async () => {
  await fixture.db.query('truncate slot_booking');
  await fixture.db.query('update slot set held = 0, booked = 0');
});

interface Place {
  readonly id: string;
  readonly region: string;
  readonly at: Date;
  free: number;
}

/** What the service must say, one ask after the other: slots as numbers in memory. */
class Model {
  readonly #holds = new Map<Asked, Place>();
  constructor(readonly places: Place[]) {}

  prepare(asked: Asked): string {
    const { addressRef, parcels, notBefore } = asked.input;
    const region = regionOf.get(addressRef);
    if (parcels < 1 || parcels > 20) return 'bad-parcels';
    if (region === undefined) return 'unknown-address';
    const place = this.places.find(
      (each) => each.region === region && each.at >= (notBefore ?? each.at) && each.free >= parcels,
    );
    if (!place) return 'no-slot';
    place.free -= parcels;
    this.#holds.set(asked, place);
    return place.at.toISOString();
  }

  cancel(asked: Asked): void {
    (this.#holds.get(asked) as Place).free += asked.input.parcels;
  }

  get free(): [string, number][] {
    return this.places.map(({ id, free }) => [id, free]);
  }
}

async function placesOf(db: Client): Promise<Place[]> {
  const { rows } = await db.query(
    'select id, region, starts_at as at, capacity - held - booked as free from slot order by starts_at, id',
  );
  return rows as Place[];
}

function asks(random: Seeded, days: readonly Date[]): Asked[] {
  return Array.from({ length: random.int(8) }, () =>
    ask(random.chance(0.05) ? randomUUID() : random.pick([...regionOf.keys()]), {
      parcels: random.chance(0.05) ? random.pick([0, 21]) : 1 + random.int(4),
      notBefore: random.chance(0.3) ? random.pick(days) : null,
    }),
  );
}

/** Takes some of `held` out, for a commit or a cancel. */
const some = (random: Seeded, held: Asked[]): Asked[] => random.shuffle(held).slice(0, random.int(5));

it('over a random history, units say and keep what asks one by one would, or undo it all', async () => {
  const random = seeded('one by one');
  const model = new Model(await placesOf(fixture.db));
  const days = [...model.places.map(({ at }) => at), new Date('2999-01-01')];
  let held: Asked[] = [];
  const seen = new Map<string, number>();
  for (let unit = 0; unit < 150; unit++) {
    const wanted = asks(random, days);
    const committed = some(random, held);
    const cancelled = some(
      random,
      held.filter((each) => !committed.includes(each)),
    );
    const fails = random.chance(0.15);
    let votes: string[] = [];
    const done = fixture.run(async (work) => {
      await fixture.participant.commitAll(committed, work);
      await fixture.participant.cancelAll(cancelled, work);
      votes = (await fixture.participant.prepareAll(wanted, work)).map(said);
      if (fails) throw new Error('this unit fails');
    });
    if (fails) await expect(done).rejects.toThrow('this unit fails');
    else {
      await done;
      for (const each of cancelled) model.cancel(each);
      expect(votes).toEqual(wanted.map((each) => model.prepare(each)));
      for (const vote of votes) seen.set(vote, (seen.get(vote) ?? 0) + 1);
      const settled = new Set([...committed, ...cancelled]);
      held = [
        ...held.filter((each) => !settled.has(each)),
        ...wanted.filter((_, index) => votes[index]?.startsWith('2')),
      ];
    }
    expect((await placesOf(fixture.db)).map(({ id, free }) => [id, free])).toEqual(model.free);
    expect(await unbalanced(fixture.db)).toEqual([]);
  }
  // The history was worth its name: slots filled up, and every answer was given.
  for (const code of ['no-slot', 'bad-parcels', 'unknown-address']) expect(seen.get(code)).toBeGreaterThan(0);
});

it('over random histories side by side, no place is lost or given twice', async () => {
  const { seed } = seeded('side by side');
  const { participant } = fixture;
  const capacity = (await placesOf(fixture.db)).reduce((sum, { free }) => sum + free, 0);
  const booked: Asked[] = [];
  const worker = async (number: number): Promise<void> => {
    const random = seeded('a worker', seed + number, () => undefined);
    let held: Asked[] = [];
    for (let unit = 0; unit < 25; unit++) {
      const wanted = asks(random, [new Date(0)]);
      const committed = random.chance(0.2) ? held.slice(0, 1) : [];
      const cancelled = held.slice(committed.length);
      const votes = await fixture.run(async (work) => {
        const voted = await participant.prepareAll(wanted, work);
        await participant.commitAll(committed, work);
        await participant.cancelAll(cancelled, work);
        return voted;
      });
      booked.push(...committed);
      held = wanted.filter((_, index) => votes[index]?.prepared);
    }
    await fixture.run((work) => participant.cancelAll(held, work));
  };
  await Promise.all(Array.from({ length: 8 }, (_, number) => worker(number)));
  expect(await unbalanced(fixture.db)).toEqual([]);
  const sold = booked.reduce((sum, { input }) => sum + input.parcels, 0);
  expect(sold).toBeGreaterThan(0);
  const left = (await placesOf(fixture.db)).reduce((sum, { free }) => sum + free, 0);
  expect(left).toBe(capacity - sold);
  const { rows } = await fixture.db.query(
    'select state, count(*)::int as n from slot_booking group by state order by state',
  );
  expect(rows).toEqual([
    { state: 'BOOKED', n: booked.length },
    { state: 'RELEASED', n: expect.any(Number) },
  ]);
});
