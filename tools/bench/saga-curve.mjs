// What a saga costs behind more and more history: it should be the same at 1,000 and at 1,000,000.
import { Client } from 'pg';
import { rowOf } from './figures.mjs';
import { mib } from './ground.mjs';
import { openHistory } from './saga-history.mjs';
import { drive, startSystem } from './saga-system.mjs';

const POINTS = [1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000];
/** The last sagas before a point are measured, so many at most. */
const MOST_MEASURED = { full: 5_000, quick: 500 };

/**
 * One system that is never restarted. Up to `driven` sagas all history is lived through; beyond that it is
 * written by SQL (saga-history.mjs), and what is measured is driven.
 */
export async function benchCurve({ servers, quick, say, concurrency, to, driven }) {
  const most = quick ? MOST_MEASURED.quick : MOST_MEASURED.full;
  const system = await startSystem(servers, say);
  const urls = system.services.map(({ database }) => database.url);
  const rows = [];
  let history;
  try {
    let [have, written] = [0, 0];
    for (const point of POINTS.filter((each) => each <= to)) {
      const measured = Math.min(most, Math.floor((point - have) / 2));
      say(`${point} sagas: those before`);
      if (point > driven) {
        const more = await history.write(point - measured - have);
        [written, have] = [written + more, have + more];
      }
      await drive(system, { concurrency, total: point - measured - have });
      say(`${point} sagas: ${measured} of them are measured`);
      const stretch = await drive(system, { concurrency, total: measured });
      have = point;
      rows.push(await rowAt({ point, written, concurrency, stretch }, system.services, urls));
      history ??= await openHistory(urls, have); // of the first point: the sample of all that is written
    }
    return rows.map((row) => ({ ...row, timesFirst: ratios(row, rows[0]) }));
  } finally {
    await history?.close();
    await system.stop();
  }
}

async function rowAt({ point, written, concurrency, stretch }, services, urls) {
  const { run, cpuMs: spent } = stretch;
  const miscounted = await miscountedOf(urls, point);
  const rssMiB = await bytesOf(services, 'rss');
  const heapMiB = await bytesOf(services, 'heap');
  const tables = await tableSizes(urls);
  const tablesMiB = mib(sum(tables));
  const name = { system: 'aura', case: `${point.toLocaleString('en')} sagas`, concurrency };
  return rowOf(name, [{ ...run, failed: run.failed + miscounted }], {
    sagas: point,
    writtenBySql: written,
    cpuMsPerSaga: Number((spent / run.stepsMs.length).toPrecision(4)),
    rssMiB,
    heapMiB,
    tablesMiB,
    tables: Object.fromEntries(Object.entries(tables).map(([table, bytes]) => [table, mib(bytes)])),
    tablesKiBPerSaga: Number(((tablesMiB * 1_024) / point).toPrecision(4)),
    ...(written > 0 ? { note: `${written.toLocaleString('en')} of them written by SQL` } : {}),
  });
}

/** MiB by service: of the process, or what is reachable in it. */
async function bytesOf(services, what) {
  const entries = [];
  for (const { name, service } of services) entries.push([name, mib(await service.ask(what))]);
  return Object.fromEntries(entries);
}

const COUNT = `select (select count(*) from aura.saga) + (select count(*) from aura.branch) as n`;

/** How many sagas, or branches of theirs, are there too much or too little. */
async function miscountedOf(urls, point) {
  const counts = await Promise.all(urls.map(async (url) => Number((await rowsOf(url, COUNT))[0].n)));
  return sum(counts.map((n) => Math.abs(n - point)));
}

async function rowsOf(connectionString, sql) {
  const client = new Client({ connectionString });
  await client.connect();
  const { rows } = await client.query(sql);
  await client.end();
  return rows;
}

const SIZES = `
  select coalesce(pg_partition_root(oid), oid)::regclass::text as name,
         sum(pg_total_relation_size(oid))::float8 as bytes
    from pg_class where relnamespace = 'aura'::regnamespace and relkind = 'r' group by 1`;

/** By table, with indexes, of all services together (bytes). */
async function tableSizes(urls) {
  const sizes = {};
  for (const url of urls)
    for (const { name, bytes } of await rowsOf(url, SIZES)) sizes[name] = (sizes[name] ?? 0) + bytes;
  return sizes;
}

const sum = (byName) => Object.values(byName).reduce((total, each) => total + each, 0);
const ratio = (now, then) => Number((now / then).toPrecision(3));

/** Against the first point: flat is 1. */
function ratios(row, first) {
  return {
    perSecond: ratio(row.perSecond, first.perSecond),
    p50: ratio(row.p50Ms, first.p50Ms),
    CPU: ratio(row.cpuMsPerSaga, first.cpuMsPerSaga),
    RSS: ratio(sum(row.rssMiB), sum(first.rssMiB)),
    heap: ratio(sum(row.heapMiB), sum(first.heapMiB)),
  };
}
