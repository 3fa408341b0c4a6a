/** Arrays that were written in Postgres's own form, read by a real one: `sql-arrays.ts` of @aura/platform. */
import { randomUUID } from 'node:crypto';
import { run, statement } from '@aura/platform';
import { seeded, testDatabase, type Seeded, type TestDatabase } from '@aura/testing';
import type { Client } from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';

let database: TestDatabase;
let client: Client;
beforeAll(async () => {
  database = await testDatabase('sql_arrays');
  client = await database.client();
});
afterAll(() => database.drop());

const VALUES: Readonly<Record<string, (random: Seeded) => unknown>> = {
  uuid: () => randomUUID(),
  text: (random) =>
    random.pick(['', 'NULL', '"{a,\\b}"', 'é€😀', 'a\nb', '\ud800', 'x'.repeat(random.int(200_000))]),
  bytea: (random) => Buffer.alloc(random.int(300), random.int(256)),
  int: (random) => random.pick([0, -1, 2 ** 31 - 1, -(2 ** 31), random.int(1_000_000)]),
  bigint: (random) => random.pick([0n, '-9223372036854775808', 9223372036854775807n, random.int(1_000_000)]),
  boolean: (random) => random.int(2) === 0,
  timestamptz: (random) =>
    new Date(random.pick([0, -62_135_596_800_000, 946_684_799_999, 1_764_331_200_123, 8.64e15])),
};

it.each(Object.keys(VALUES))('an array of %s says the same in both forms', async (type) => {
  const random = seeded(`arrays of ${type}`);
  const { name, text } = statement(`sql_arrays_${type}`, `select $1::${type}[]::text as said`);
  for (let round = 0; round < 100; round++) {
    const make = (): unknown => (random.int(9) === 0 ? null : VALUES[type]?.(random));
    const values = Array.from({ length: random.int(20) }, make);
    const [own] = await run<{ said: string }>(client, { name, text }, [values]);
    const { rows } = await client.query<{ said: string }>(text, [values]); // the text that pg makes of it
    expect(own?.said).toBe(rows[0]?.said);
  }
});

it('a value that is none of its type is refused by Postgres, not changed', async () => {
  const uuids = statement('sql_arrays_wrong', 'select $1::uuid[]::text as said, $2::int[]::text as numbers');
  await expect(run(client, uuids, [['no uuid'], []])).rejects.toMatchObject({ code: '22P02' });
  await expect(run(client, uuids, [[], [2 ** 31]])).rejects.toMatchObject({ code: '22003' });
  const [row] = await run(client, uuids, [[], ['7']]);
  expect(row).toEqual({ said: '{}', numbers: '{7}' });
});
