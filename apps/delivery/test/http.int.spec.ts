import type { Logger } from '@aura/platform';
import { createLogger } from '@aura/service';
import { settled } from '@aura/testing';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, startDelivery, type Fixture } from './delivery-fixture.js';

const now = new Date('2026-12-01T10:00:00Z');
const TELLTALE = 'Telltale';

let fixture: Fixture;
let lines: string;
beforeAll(async () => {
  lines = join(mkdtempSync(join(tmpdir(), 'delivery-')), 'log');
  const logger: Logger = createLogger({ name: 'delivery', level: 'trace', destination: lines });
  fixture = await startDelivery({
    logger,
    clock: { now: () => now },
    environment: {
      AURA_REGIONS: 'North,South',
      AURA_SLOT_DAYS_AHEAD: '2',
      AURA_SLOTS_PER_DAY: '2',
      AURA_SLOT_CAPACITY: '3',
    },
  });
});
afterAll(() => fixture.stop());

interface Answer {
  status: number;
  type: string | null;
  body: Record<string, unknown>;
}

async function request(path: string, body?: unknown): Promise<Answer> {
  const sent = {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  };
  const response = await fetch(fixture.service.url + path, body === undefined ? {} : sent);
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    body: (await response.json()) as Record<string, unknown>,
  };
}

const home = { region: 'North', lines: [`Jane ${TELLTALE}`, `1 ${TELLTALE} Street`, '12345 Town'] };

async function kept(): Promise<number> {
  const { rows } = await fixture.db.query('select count(*)::int as n from address');
  return rows[0].n;
}

describe('addresses', () => {
  it('are kept, and only their reference is given out', async () => {
    const { status, body } = await request('/addresses', home);
    expect([status, body]).toEqual([201, { ref: expect.stringMatching(/^[0-9a-f-]{36}$/), region: 'North' }]);
    const { rows } = await fixture.db.query('select region, lines, created_at from address where ref = $1', [
      body['ref'],
    ]);
    expect(rows).toEqual([{ region: 'North', lines: home.lines, created_at: now }]);
  });

  it.each([
    ['no region', { lines: home.lines }, 400],
    ['a region where we do not deliver', { ...home, region: 'Atlantis' }, 422],
    ['no lines', { ...home, lines: [] }, 400],
    ['seven lines', { ...home, lines: Array.from({ length: 7 }, () => TELLTALE) }, 400],
    ['an empty line', { ...home, lines: [TELLTALE, ' '] }, 400],
    ['a line that is too long', { ...home, lines: [TELLTALE.repeat(30)] }, 400],
    ['a line that is no text', { ...home, lines: [TELLTALE, 7] }, 400],
    ['a line with control characters', { ...home, lines: [`${TELLTALE}\u0000`] }, 400],
    ['a name that is unknown', { ...home, [TELLTALE]: 1 }, 400],
    ['a body that is no JSON', `{"lines": ["${TELLTALE}`, 400],
    ['a body that is too large', { ...home, lines: [TELLTALE.repeat(20_000)] }, 413],
  ])('are refused with a problem document that does not repeat them: %s', async (_, body, status) => {
    const before = await kept();
    const answer = await request('/addresses', body);
    expect(answer).toMatchObject({ status, type: expect.stringContaining('application/problem+json') });
    expect(answer.body).toMatchObject({ status, detail: expect.any(String) });
    expect(JSON.stringify(answer.body)).not.toContain(TELLTALE);
    expect(await kept()).toBe(before);
  });

  it('name the regions there are where one is unknown', async () => {
    expect((await request('/addresses', { ...home, region: 'Atlantis' })).body).toMatchObject({
      type: 'urn:aura:problem:unknown-region',
      detail: 'We do not deliver there: choose one of North, South.',
    });
  });
});

/** `<month>-<day>T<hour> <free places>`. */
async function free(query: string): Promise<string[]> {
  const { status, body } = await request(`/slots?${query}`);
  expect(status).toBe(200);
  return (body['slots'] as { startsAt: string; free: number }[]).map(
    (slot) => `${slot.startsAt.slice(5, 13)} ${slot.free}`,
  );
}

describe('slots', () => {
  it('are listed from the first on with their free places; full ones and past ones are not', async () => {
    expect(await free('region=North')).toEqual(['12-02T08 3', '12-02T14 3', '12-03T08 3', '12-03T14 3']);
    const { ref } = (await request('/addresses', home)).body;
    const asks = [3, 1].map((parcels) => ask(String(ref), { parcels }));
    await fixture.run((work) => fixture.participant.prepareAll(asks, work));
    expect(await free('region=North')).toEqual(['12-02T14 2', '12-03T08 3', '12-03T14 3']);
    expect(await free('region=South&limit=2')).toEqual(['12-02T08 3', '12-02T14 3']);
    expect(await free('region=North&from=2026-12-03T14:00:00Z')).toEqual(['12-03T14 3']);
    expect(await free('region=North&from=2026-12-03T14:00:00-01:00')).toEqual([]);
    await fixture.db.query(`insert into slot (id, region, starts_at, ends_at, capacity)
      values (gen_random_uuid(), 'South', '2026-12-01T09:00Z', '2026-12-01T12:00Z', 9)`);
    expect(await free('region=South&limit=1&from=2000-01-01T00:00:00Z')).toEqual(['12-02T08 3']);
    await fixture.run((work) => fixture.participant.cancelAll(asks, work));
    expect(await free('region=North&limit=1')).toEqual(['12-02T08 3']);
  });

  it.each([
    ['', 400],
    ['region=North&from=tomorrow', 400],
    ['region=North&limit=0', 400],
    ['region=North&limit=201', 400],
    ['region=North&form=2026-12-03T14:00:00Z', 400],
    ['region=Atlantis', 422],
  ])('are refused for "%s" with %i', async (query, status) => {
    const answer = await request(`/slots?${query}`);
    expect(answer).toMatchObject({ status, type: expect.stringContaining('application/problem+json') });
  });
});

describe('deliveries', () => {
  it('show what a saga has: held, then booked, with the reference of the address only', async () => {
    const { ref } = (await request('/addresses', home)).body;
    const asked = ask(String(ref), { parcels: 2 });
    await fixture.run((work) => fixture.participant.prepare(asked, work));
    const booking = {
      branch: 'delivery',
      state: 'held',
      parcels: 2,
      addressRef: ref,
      slot: {
        id: expect.any(String),
        region: 'North',
        startsAt: '2026-12-02T08:00:00.000Z',
        endsAt: '2026-12-02T14:00:00.000Z',
      },
      heldAt: now.toISOString(),
      settledAt: null,
    };
    const path = `/deliveries/${asked.sagaId}`;
    expect(await request(path)).toMatchObject({
      status: 200,
      body: { sagaId: asked.sagaId, bookings: [booking] },
    });
    await fixture.run((work) => fixture.participant.commit(asked, work));
    expect((await request(path)).body).toEqual({
      sagaId: asked.sagaId,
      bookings: [{ ...booking, state: 'booked', settledAt: now.toISOString() }],
    });
  });

  it.each([
    ['00000000-0000-4000-8000-000000000000', 404],
    ['me', 400],
  ])('of %s: %i', async (sagaId, status) => {
    expect(await request(`/deliveries/${sagaId}`)).toMatchObject({ status, body: { status } });
  });
});

it('is ready: it has joined its group, for what coordinators ask of it', async () => {
  await settled('it has partitions', async () => {
    const { status, body } = await request('/health/ready');
    return status === 200 && /"consumer":{"status":"up","detail":"[1-9]/.test(JSON.stringify(body));
  });
});

it('has an OpenAPI document of its routes, with what they take and give', async () => {
  const { body } = await request('/openapi.json');
  expect(body['paths']).toMatchObject({
    '/addresses': {
      post: {
        requestBody: { content: { 'application/json': { schema: { required: ['region', 'lines'] } } } },
        responses: { 201: { content: { 'application/json': { schema: { required: ['ref', 'region'] } } } } },
      },
    },
    '/slots': { get: { parameters: [{ name: 'region' }, { name: 'from' }, { name: 'limit' }] } },
    '/deliveries/{sagaId}': { get: { responses: { 200: {} } } },
  });
});

it('an address is in its own table, and nowhere else in the database, nor in the log', async () => {
  const { ref } = (await request('/addresses', home)).body;
  const asks = [ask(String(ref)), ask(`Jane ${TELLTALE}`), ask(String(ref), { parcels: 4 })];
  const votes = await fixture.run((work) => fixture.participant.prepareAll(asks, work));
  expect(votes.map((vote) => vote.prepared)).toEqual([true, false, false]);
  expect(JSON.stringify(votes)).not.toContain(TELLTALE);
  // A statement that fails with the lines among its values, as one would that meets a full disk.
  await fixture.db.query(`alter table address add constraint away check (region <> 'South')`);
  expect(await request('/addresses', { ...home, region: 'South' })).toMatchObject({ status: 500 });
  await fixture.db.query('alter table address drop constraint away');

  const { rows: tables } = await fixture.db.query(`
    select format('%I.%I', schemaname, tablename) as name from pg_tables
     where schemaname not in ('pg_catalog', 'information_schema')`);
  const found: string[] = [];
  for (const { name } of tables) {
    const { rowCount } = await fixture.db.query(
      `select from ${name} as it where it::text like '%${TELLTALE}%'`,
    );
    if (rowCount !== 0) found.push(name);
  }
  expect(found).toEqual(['public.address']);
  const log = readFileSync(lines, 'utf8');
  expect(log).toContain('a request failed');
  expect(log).not.toContain(TELLTALE);
});
