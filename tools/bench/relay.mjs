// From the outbox into the log, as fast as it goes: what is there when a relay starts.
import { setTimeout as sleep } from 'node:timers/promises';
import { rowOf, Tally } from './figures.mjs';
import { fillOutbox, ground, mib, reachableBytes, recordOf, until } from './ground.mjs';

const FULL = { rows: 60_000, older: 1_000_000, heapAt: 100_000, peerRows: 1_000 };
const QUICK = { rows: 5_000, older: 20_000, heapAt: 5_000, peerRows: 100 };
const BATCH = 500;

export async function benchRelay({ servers, runs, quick, say }) {
  const size = quick ? QUICK : FULL;
  const rows = [];
  const fresh = [];
  const floors = [];
  const peers = [];
  for (let run = 1; run <= runs; run++) {
    say(`an empty outbox, run ${run} of ${runs}`);
    const on = await ground(servers);
    try {
      await fillOutbox(on, 0, size.rows);
      fresh.push(await drain(on, 0, size.rows));
      say(`floor and peer, run ${run} of ${runs}`);
      floors.push(await appendOnly(on, size.rows));
      peers.push(await peerLoop(on.service.pool, size.peerRows));
    } finally {
      await on.drop();
    }
  }
  rows.push(rowOf({ system: 'aura', case: 'fresh', concurrency: 1 }, fresh));
  rows.push(...(await behind(servers, size, runs, say)));
  rows.push(rowOf({ system: 'floor', case: 'append-only', concurrency: 1 }, floors));
  rows.push(rowOf({ system: 'peer', case: 'row-by-row, broker of 3 ms', concurrency: 1 }, peers));
  return rows;
}

/** A backlog of a million, and then new rows behind a million that were published. */
async function behind(servers, size, runs, say) {
  const on = await ground(servers);
  try {
    const words = size.older >= 1e6 ? `${size.older / 1e6}M` : `${size.older / 1e3}k`;
    say(`a backlog of ${words}`);
    await fillOutbox(on, 0, size.older);
    const backlog = await drain(on, 0, size.older, size.heapAt);
    const later = [];
    for (let run = 0; run < runs; run++) {
      say(`${words} older rows, run ${run + 1} of ${runs}`);
      const from = size.older + run * size.rows;
      await fillOutbox(on, from, from + size.rows);
      later.push(await drain(on, from, from + size.rows));
    }
    const { heapMiBFirst, heapMiBLast } = backlog;
    return [
      rowOf({ system: 'aura', case: `${words}-behind`, concurrency: 1 }, later),
      rowOf({ system: 'aura', case: `${words}-backlog`, concurrency: 1 }, [backlog], {
        heapMiBFirst,
        heapMiBLast,
      }),
    ];
  } finally {
    await on.drop();
  }
}

/** A relay publishes entries `from` to `to`. Timed from its lead to the last answer; checked in the log. */
async function drain(on, from, to, heapAt) {
  const { libs, log, service, registry, name, type } = on;
  const before = await log.bounds(type.topic);
  const stepsMs = [];
  const heaps = [];
  let acknowledged = 0;
  let firstMs;
  let lastMs = 0;
  let pausedMs = 0;
  const counting = new Proxy(log, {
    get(target, property) {
      if (property !== 'append') return target[property].bind?.(target) ?? target[property];
      return async (records, options) => {
        const begun = performance.now();
        firstMs ??= begun;
        const result = await target.append(records, options);
        lastMs = performance.now();
        stepsMs.push(lastMs - begun);
        for (const { indexes } of result.acknowledged) acknowledged += indexes.length;
        if (heapAt && acknowledged >= heapAt && heaps.length === 0) {
          heaps.push(await reachableBytes());
          pausedMs = performance.now() - lastMs;
        }
        return result;
      };
    },
  });
  const relay = new libs.Relay({
    connection: { connectionString: service.url },
    db: service.pool,
    log: counting,
    registry,
    source: name,
    logger: libs.silentLogger,
  });
  await relay.start();
  relay.nudge();
  await until(
    () => acknowledged >= to - from,
    () => acknowledged,
  );
  if (heapAt) heaps.push(await reachableBytes());
  await relay.stop();
  const seconds = (lastMs - firstMs - pausedMs) / 1_000;
  return {
    perSecond: (to - from) / seconds,
    stepsMs,
    failed: await wrong(on, before, from, to),
    heapMiBFirst: heaps[0] && mib(heaps[0]),
    heapMiBLast: heaps[1] && mib(heaps[1]),
  };
}

/** Entries that are not in the log exactly once. */
async function wrong({ log, type }, before, from, to) {
  const tally = new Tally(to - from);
  for (const { partition, end } of await log.bounds(type.topic)) {
    const first = before.find((bounds) => bounds.partition === partition).end;
    for await (const { value } of log.scan(type.topic, partition, first, end))
      tally.see(Number(value.subarray(-8).toString()) - from);
  }
  return tally.failed;
}

/** The same batches, ready-made, one append after the other: no relay can be faster on one connection. */
async function appendOnly(on, total) {
  const batches = [];
  for (let from = 0; from < total; from += BATCH)
    batches.push(Array.from({ length: Math.min(BATCH, total - from) }, (_, i) => recordOf(on, from + i)));
  const stepsMs = [];
  let failed = 0;
  const begun = performance.now();
  for (const batch of batches) {
    const at = performance.now();
    for (const { indexes } of (await on.log.append(batch)).failed) failed += indexes.length;
    stepsMs.push(performance.now() - at);
  }
  return { perSecond: total / ((performance.now() - begun) / 1_000), stepsMs, failed };
}

/** Answers after 3 ms, and remembers what it was given. */
export class FakeBroker {
  /** @type {number[]} */
  records = [];

  async publish(serial) {
    await sleep(3);
    this.records.push(serial);
  }
}

/** What many an outbox does: reads one row, publishes it, deletes it, and so on. */
export async function peerLoop(pool, total, broker = new FakeBroker()) {
  await pool.query('create table if not exists peer_outbox (id bigint primary key, body text not null)');
  await pool.query(`insert into peer_outbox select n, 'an event' from generate_series(0, $1::int - 1) as n`, [
    total,
  ]);
  const client = await pool.connect();
  const stepsMs = [];
  const begun = performance.now();
  try {
    for (;;) {
      const at = performance.now();
      const { rows } = await client.query('select id, body from peer_outbox order by id limit 1');
      if (rows.length === 0) break;
      await broker.publish(Number(rows[0].id));
      await client.query('delete from peer_outbox where id = $1', [rows[0].id]);
      stepsMs.push(performance.now() - at);
    }
  } finally {
    client.release();
  }
  const perSecond = total / ((performance.now() - begun) / 1_000);
  const tally = new Tally(total);
  for (const serial of broker.records) tally.see(serial);
  return { perSecond, stepsMs, failed: tally.failed };
}
