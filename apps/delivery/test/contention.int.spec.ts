import { seeded } from '@aura/testing';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { ask, counters, startDelivery, unbalanced, type Fixture } from './delivery-fixture.js';

let fixture: Fixture;
let refs: string[];
beforeAll(async () => {
  fixture = await startDelivery({
    environment: {
      AURA_REGIONS: 'North,South',
      AURA_SLOT_DAYS_AHEAD: '2',
      AURA_SLOTS_PER_DAY: '1',
      AURA_SLOT_CAPACITY: '5',
      AURA_DATABASE_POOL_SIZE: '16',
    },
  });
  refs = [await fixture.addressIn('North'), await fixture.addressIn('South')];
});
afterAll(() => fixture.stop());
beforeEach(async () => {
  await fixture.db.query('truncate slot_booking');
  await fixture.db.query('update slot set held = 0, booked = 0, capacity = 5');
});

it('of 64 purchases at once for the last 10 places exactly 10 get one, without a deadlock', async () => {
  const votes = await Promise.all(
    Array.from({ length: 64 }, () =>
      fixture.run((work) => fixture.participant.prepare(ask(refs[0] as string), work)),
    ),
  );
  expect(votes.filter((vote) => vote.prepared)).toHaveLength(10);
  expect(new Set(votes.filter((vote) => !vote.prepared).map(({ code }) => code))).toEqual(
    new Set(['no-slot']),
  );
  const { rows } = await fixture.db.query('select region, held, booked from slot order by region, starts_at');
  expect(rows).toEqual([
    { region: 'North', held: 5, booked: 0 },
    { region: 'North', held: 5, booked: 0 },
    { region: 'South', held: 0, booked: 0 },
    { region: 'South', held: 0, booked: 0 },
  ]);
  expect(await unbalanced(fixture.db)).toEqual([]);
});

it('units that prepare, commit and cancel the same slots in whatever order meet no deadlock', async () => {
  await fixture.db.query('update slot set capacity = 100000');
  const { seed } = seeded('mixed units');
  const { participant } = fixture;
  const chain = async (number: number): Promise<void> => {
    const random = seeded('a chain', seed + number, () => undefined);
    const asks = (count: number) => Array.from({ length: count }, () => ask(random.pick(refs)));
    let held = asks(4);
    await fixture.run((work) => participant.prepareAll(held, work));
    for (let round = 0; round < 6; round++) {
      const next = asks(4);
      const [committed, cancelled] = [held.slice(0, 2), held.slice(2)];
      const steps = random.shuffle(['prepare', 'commit', 'cancel'] as const);
      await fixture.run(async (work) => {
        for (const step of steps)
          if (step === 'prepare') await participant.prepareAll(next, work);
          else if (step === 'commit') await participant.commitAll(committed, work);
          else await participant.cancelAll(cancelled, work);
      });
      held = next;
    }
  };
  await Promise.all(Array.from({ length: 12 }, (_, number) => chain(number)));
  expect(await counters(fixture.db)).toMatchObject({ held: 12 * 4, booked: 12 * 6 * 2 });
  expect(await unbalanced(fixture.db)).toEqual([]);
});
