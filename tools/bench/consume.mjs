// From the log into the service's tables: inbox, one row per event, offset.
import { rowOf, Tally } from './figures.mjs';
import { fillLog, ground, mib, reachableBytes, recordOf, until } from './ground.mjs';

const FULL = { events: 60_000, each: 20_000, peer: 1_000, long: 1_000_000, heapAt: 100_000 };
const QUICK = { events: 5_000, each: 2_000, peer: 100, long: 10_000, heapAt: 5_000 };
const UNIT = 500;

export async function benchConsume({ servers, runs, quick, say }) {
  const size = quick ? QUICK : FULL;
  const figures = { set: [], each: [], floor: [], peer: [] };
  for (let run = 1; run <= runs; run++)
    for (const mode of ['set', 'each']) {
      say(`${mode} handler, run ${run} of ${runs}`);
      const on = await ground(servers);
      try {
        const total = mode === 'set' ? size.events : size.each;
        await fillLog(on, total);
        figures[mode].push(await consumeAll(on, mode, total));
        if (mode === 'each') continue;
        say(`floor and peer, run ${run} of ${runs}`);
        figures.floor.push(await insertOnly(on.service.pool, size.events));
        figures.peer.push(await peerPerEvent(on, size.peer));
      } finally {
        await on.drop();
      }
    }
  const long = await consumeLong(servers, size, say);
  return [
    rowOf({ system: 'aura', case: 'set-based handler', concurrency: 1 }, figures.set),
    rowOf({ system: 'aura', case: 'per-event handler', concurrency: 1 }, figures.each),
    long,
    rowOf({ system: 'floor', case: 'inserts only, 500 a commit', concurrency: 1 }, figures.floor),
    rowOf({ system: 'peer', case: 'transaction per event', concurrency: 1 }, figures.peer),
  ];
}

async function consumeLong(servers, { long, heapAt }, say) {
  const words = long >= 1e6 ? `${long / 1e6}M` : `${long / 1e3}k`;
  say(`${words} events in one go`);
  const on = await ground(servers);
  try {
    await fillLog(on, long);
    const run = await consumeAll(on, 'set', long, heapAt);
    const { heapMiBFirst, heapMiBLast } = run;
    return rowOf({ system: 'aura', case: `${words} in one go`, concurrency: 1 }, [run], {
      heapMiBFirst,
      heapMiBLast,
    });
  } finally {
    await on.drop();
  }
}

/** A consumer takes `total` events: timed from its first unit to its last commit, checked in its tables. */
async function consumeAll(on, mode, total, heapAt) {
  const { libs, log, service, contracts, registry, type, name } = on;
  const group = `${name}_${mode}`;
  const commits = [];
  const heaps = [];
  let applied = 0;
  let firstMs;
  let pausedMs = 0;
  const units = new WeakSet(); // by the one `now` of each
  const write = mode === 'set' ? writeAll : writeOne;
  const handler = {
    mode,
    type,
    name: 'Bench.note',
    async handle(events, work) {
      firstMs ??= performance.now();
      if (heapAt && applied >= heapAt && heaps.length === 0) {
        const at = performance.now();
        heaps.push(await reachableBytes());
        pausedMs = performance.now() - at;
      }
      await write(work.manager, events);
      const first = !units.has(work.now);
      units.add(work.now);
      work.afterCommit(() => {
        applied += mode === 'set' ? events.length : 1;
        if (first) commits.push(performance.now());
      });
    },
  };
  const consumer = new libs.Consumer({
    group,
    log,
    registry,
    contracts,
    handlers: new libs.Handlers([handler]),
    units: unitsOf(on),
    logger: libs.silentLogger,
  });
  await consumer.start();
  await until(
    () => applied >= total,
    () => applied,
  );
  if (heapAt) heaps.push(await reachableBytes());
  await consumer.stop();
  const last = commits.at(-1);
  const stepsMs = commits.map((at, i) => at - (commits[i - 1] ?? firstMs));
  return {
    perSecond: total / ((last - firstMs - pausedMs) / 1_000),
    stepsMs,
    failed: await wrong(service.pool, group, total),
    heapMiBFirst: heaps[0] && mib(heaps[0]),
    heapMiBLast: heaps[1] && mib(heaps[1]),
  };
}

const unitsOf = ({ libs, service, contracts }) =>
  new libs.UnitsOfWork({
    dataSource: service.dataSource,
    contracts,
    clock: libs.systemClock,
    onCommitted: () => undefined,
  }).context;

const WRITE_ONE = 'insert into effect (event_id, serial) values ($1, $2)';
const WRITE_ALL =
  'insert into effect (event_id, serial) select * from unnest($1::uuid[], $2::text[]) as e(event_id, serial)';

const writeOne = (manager, { id, payload }) => manager.query(WRITE_ONE, [id, payload.serial]);
const writeAll = (manager, events) =>
  manager.query(WRITE_ALL, [events.map(({ id }) => id), events.map(({ payload }) => payload.serial)]);

/** Entries that have not taken effect exactly once. */
async function wrong(pool, group, total) {
  const tally = new Tally(total);
  const { rows } = await pool.query('select serial::int as serial from effect');
  for (const { serial } of rows) tally.see(serial);
  const { rows: inbox } = await pool.query(
    'select count(*)::int as known from aura.inbox where consumer_group = $1',
    [group],
  );
  return Math.max(tally.failed, Math.abs(inbox[0].known - total));
}

/** Inbox and effect alone, from ready-made arrays: what the database takes on one connection. */
async function insertOnly(pool, total) {
  const client = await pool.connect();
  const stepsMs = [];
  const begun = performance.now();
  try {
    for (let from = 0; from < total; from += UNIT) {
      const at = performance.now();
      const count = Math.min(UNIT, total - from);
      await client.query('begin');
      await client.query(
        `with arrived as (select uuidv7() as id, n from generate_series($1::int, $2::int) as n),
              known as (insert into aura.inbox (consumer_group, event_id) select 'floor', id from arrived)
         insert into effect (event_id, serial) select id, n::text from arrived`,
        [from, from + count - 1],
      );
      await client.query('commit');
      stepsMs.push(performance.now() - at);
    }
  } finally {
    client.release();
  }
  const { rows } = await pool.query(
    `select count(*)::int as known from aura.inbox where consumer_group = 'floor'`,
  );
  const perSecond = total / ((performance.now() - begun) / 1_000);
  return { perSecond, stepsMs, failed: Math.abs(rows[0].known - total) };
}

/** What many a consumer does: a transaction for each event. Its events are in memory already. */
export async function peerPerEvent(on, total) {
  const { pool } = on.service;
  await pool.query('create table peer_inbox (event_id uuid primary key)');
  await pool.query('create table peer_effect (event_id uuid not null, serial text not null)');
  await pool.query('create table peer_offset (next bigint not null)');
  await pool.query('insert into peer_offset values (0)');
  const records = Array.from({ length: total }, (_, n) => recordOf(on, n));
  const client = await pool.connect();
  const stepsMs = [];
  const begun = performance.now();
  try {
    for (const [n, { value, headers }] of records.entries()) {
      const at = performance.now();
      const { serial } = await on.contracts.decode(on.type, value, on.registry);
      const id = headers['ce_id'];
      await client.query('begin');
      await client.query('insert into peer_inbox values ($1) on conflict do nothing', [id]);
      await client.query('insert into peer_effect values ($1, $2)', [id, serial]);
      await client.query('update peer_offset set next = $1', [n + 1]);
      await client.query('commit');
      stepsMs.push(performance.now() - at);
    }
  } finally {
    client.release();
  }
  const perSecond = total / ((performance.now() - begun) / 1_000);
  const tally = new Tally(total);
  const { rows } = await pool.query('select serial::int as serial from peer_effect');
  for (const { serial } of rows) tally.see(serial);
  return { perSecond, stepsMs, failed: tally.failed };
}
