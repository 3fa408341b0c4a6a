import { HEADER, newEventId } from '@aura/contracts';
import type { EventLog, NewRecord } from '@aura/event-log';
import type { Seeded } from '@aura/testing';
import { rowsOf } from '../crash/books.js';
import type { ParticipantBooks, SagaBooks } from './laws.js';
import { COORDINATOR, PARTICIPANTS, SERVICES, type ParticipantName } from './shop-saga.js';

export type Urls = Readonly<Record<ParticipantName | typeof COORDINATOR, string>>;

const SLOTS = `select format('%s slots are held', held) as words from slot where held <> 0
    union all select format('%s slots booked, %s taken', booked, taken) from slot,
      (select count(*) as taken from effect where what = 'TAKEN') e where booked <> taken`;

/** What SQL itself does not hold: gives words for what is broken when nothing is under way. */
const CONSERVATION: Readonly<Record<ParticipantName, string>> = {
  stock: `select format('%s holds %s of %s pieces', sku, held, total) as words from item where held <> 0
    union all select format('%s pieces sold, %s taken', sold, taken)
      from (select sum(sold) as sold from item) i,
      (select count(*) as taken from effect where what = 'TAKEN') e where sold <> taken`,
  money: `select format('the ledger is off by %s', sum(cents)) as words from entry having sum(cents) <> 0
    union all select format('%s cents are held', sum(cents)) from entry where account = 'held'
      having sum(cents) <> 0`,
  slots: SLOTS,
  tailor: SLOTS,
  // The ledger's entries against each other, and against the books of the provider.
  payments: `select format('the ledger is off by %s', sum(amount_cents)) as words from posting
      having sum(amount_cents) <> 0
    union all select format('%s cents are %s', balance_cents, account) from account_balance
      where account in ('held', 'due') and balance_cents <> 0
    union all select format('%s cents are ours, and the provider took %s', balance_cents, captured_cents)
      from account_balance, provider.books where account = 'receivable' and balance_cents <> captured_cents
    union all select format('the provider holds %s cents that nobody asks for', open_cents)
      from provider.books where open_cents <> 0
    union all select format('the provider holds %s %s times', reference, count(*)) from provider.payment
      group by reference having count(*) > 1
    union all select format('%s gave back what had not arrived', overtaken) from provider.books
      where overtaken <> 0`,
};

const EFFECTS = 'select saga_id, what from effect';
const EFFECTS_OF_PAYMENTS = `select saga_id,
    case kind when 'authorised' then 'HELD' when 'captured' then 'TAKEN' else 'GIVEN BACK' end as what
  from ledger_entry where kind <> 'collected'`;

const LEFTOVERS = `
  select count(*) || ' ' || what as words from (
    select 'keys are parked' as what from aura.parked_key
    union all select 'letters wait' from aura.letter
    union all select 'keys are parked at the relay' from aura.relay_parked_key
    union all select 'tasks are not ended' from aura.task
    union all select 'events are not published' from aura.outbox
               where position > (select position from aura.relay_cursor)) as found
   group by what`;

const SAGAS = `select id, type, phase, state -> 'why' ->> 'code' as code, attention from aura.saga`;

const topicOf = (service: string): string => `${service}.events`;

/** Reads everything that the laws are about. */
export async function readBooks(urls: Urls, log: EventLog): Promise<SagaBooks> {
  const shop = urls[COORDINATOR];
  const participants = await Promise.all(
    PARTICIPANTS.map(async (name) => [name, await participantBooks(urls[name], name)] as const),
  );
  const decisions = await recordsOf(log, topicOf(COORDINATOR));
  const saying = (type: string): Set<string> =>
    new Set(decisions.filter(({ headers }) => headers[HEADER.type] === type).map(({ key }) => key));
  const purchases = await rowsOf<{ saga_id: string }>(shop, 'select saga_id from purchase');
  return {
    sagas: await rowsOf(shop, SAGAS),
    purchases: purchases.map(({ saga_id }) => saga_id),
    participants: Object.fromEntries(participants),
    committedInLog: saying('aura.SagaCommitted'),
    abortedInLog: saying('aura.SagaAborted'),
    leftovers: await leftovers(urls),
  };
}

async function participantBooks(url: string, name: ParticipantName): Promise<ParticipantBooks> {
  const broken = await rowsOf<{ words: string }>(url, CONSERVATION[name]);
  return {
    branches: await rowsOf(url, 'select saga_id, state from aura.branch'),
    effects: await rowsOf(url, name === 'payments' ? EFFECTS_OF_PAYMENTS : EFFECTS),
    broken: broken.map(({ words }) => words),
  };
}

export async function leftovers(urls: Urls): Promise<string[]> {
  const all = Object.entries(urls).map(async ([name, url]) =>
    (await rowsOf<{ words: string }>(url, LEFTOVERS)).map(({ words }) => `${name}: ${words}`),
  );
  return (await Promise.all(all)).flat();
}

/** Whether every service has taken all that the others have said. */
export async function caughtUp(urls: Urls, log: EventLog): Promise<boolean> {
  const ends = new Map<string, bigint>();
  for (const service of SERVICES)
    for (const { partition, end } of await log.bounds(topicOf(service)))
      ends.set(`${topicOf(service)} ${partition}`, end);
  const behind = SERVICES.map(async (service) => {
    const sql = 'select topic, partition, next_offset from aura.consumer_offset';
    const rows = await rowsOf<{ topic: string; partition: number; next_offset: string }>(urls[service], sql);
    return rows.some((row) => BigInt(row.next_offset) < (ends.get(`${row.topic} ${row.partition}`) ?? 0n));
  });
  return !(await Promise.all(behind)).some(Boolean);
}

/** Appends old records again, under new ids: no inbox knows them. Gives how many. */
export async function sayAgain(log: EventLog, random: Seeded, ofEach: number): Promise<number> {
  let said = 0;
  for (const service of SERVICES) {
    const records = random.shuffle(await recordsOf(log, topicOf(service))).slice(0, ofEach);
    const again = records.map(({ topic, key, value, headers }): NewRecord => {
      return { topic, key, value, headers: { ...headers, [HEADER.id]: newEventId(new Date()) } };
    });
    const { failed } = await log.append(again);
    if (failed.length > 0) throw new Error(`records could not be said again`, { cause: failed[0]?.error });
    said += again.length;
  }
  return said;
}

/** All rows that a record said again must not change: of the sagas, the branches and the business. */
export async function snapshot(urls: Urls): Promise<Map<string, string>> {
  const tables = {
    [COORDINATOR]: ['aura.saga', 'aura.saga_log', 'purchase'],
    stock: ['aura.branch', 'effect', 'item'],
    money: ['aura.branch', 'effect', 'entry'],
    slots: ['aura.branch', 'effect', 'slot'],
    tailor: ['aura.branch', 'effect', 'slot'],
    payments: ['aura.branch', 'ledger_entry', 'provider.payment'],
  } satisfies Record<keyof Urls, string[]>;
  const rows = Object.entries(tables).flatMap(([service, names]) =>
    names.map(async (table): Promise<[string, string]> => {
      const sql = `select count(*) || ' rows, ' || coalesce(md5(string_agg(t::text, ' '
        order by t::text)), '') as sum
        from ${table} t`;
      const [row] = await rowsOf<{ sum: string }>(urls[service as keyof Urls], sql);
      return [`${service}: ${table}`, row?.sum ?? ''];
    }),
  );
  return new Map(await Promise.all(rows));
}

/** What the campaign was to bring about. */
export async function trials(urls: Urls): Promise<Record<string, number>> {
  const count = async (name: ParticipantName, sql: string): Promise<number> =>
    (await rowsOf<{ count: number }>(urls[name], `select count(*)::int as count from ${sql}`))[0]?.count ?? 0;
  return {
    'yes after the deadline': await count(
      'tailor',
      "effect join aura.branch using (saga_id) where what = 'HELD' and at > deadline",
    ),
    'no after the deadline': await count('tailor', "aura.branch where code = 'late'"),
    'replicas of stock that held': await count(
      'stock',
      "(select distinct by from effect where what = 'HELD') as replicas",
    ),
    'sold of what was few': await count('stock', "item where sku like 'few-%' and sold = total"),
    'payments with a fault outside': await count(
      'payments',
      '(select distinct reference from provider.fault) f',
    ),
    'given back outside': await count('payments', "provider.payment where state = 'voided'"),
  };
}

async function recordsOf(log: EventLog, topic: string): Promise<NewRecord[]> {
  const records: NewRecord[] = [];
  for (const { partition, first, end } of await log.bounds(topic))
    for await (const record of log.scan(topic, partition, first, end)) records.push(record);
  return records;
}
