// What a bench says in the end. Pure.
import { table } from '../eval/print.mjs';

const cell = (value) =>
  value === null || value === undefined ? '' : value.toLocaleString('en', { maximumSignificantDigits: 4 });

const range = (row, field) =>
  row[`${field}Min`] === row[`${field}Max`]
    ? ''
    : `${cell(row[`${field}Min`])} to ${cell(row[`${field}Max`])}`;

const heap = ({ heapMiBFirst: first, heapMiBLast: last }) =>
  first === undefined ? '' : `${cell(first)} -> ${cell(last)}`;

const withSpread = (row, field) => {
  const spread = range(row, field);
  return `${cell(row[field])}${spread && ` (${spread})`}`;
};

/** `stock 98, …` of an object of figures by name. */
const each = (values = {}) =>
  Object.entries(values)
    .map(([name, value]) => `${name} ${cell(value)}`)
    .join(', ');

/** What only some benches have: columns that are there where a row has something to say in them. */
const FURTHER = [
  ['heap MiB', heap],
  ['x DBOS', (row) => cell(row.timesDbos)],
  ['cost %', (row) => withSpread(row, 'costPercent')],
  ['spans per saga', (row) => cell(row.spansPerSaga)],
  ['CPU ms per saga', (row) => cell(row.cpuMsPerSaga)],
  ['more CPU %', (row) => withSpread(row, 'cpuPercent')],
  ['RSS MiB', (row) => each(row.rssMiB)],
  ['reachable MiB', (row) => each(row.heapMiB)],
  ['tables MiB', (row) => cell(row.tablesMiB)],
  ['KiB per saga', (row) => cell(row.tablesKiBPerSaga)],
  ['x first point', (row) => each(row.timesFirst)],
  ['note', (row) => row.unexpected ?? (row.notRun ? `not run: ${row.notRun}` : (row.note ?? ''))],
];

/** One line of JSON, or a table for people. */
export function printed(result, json) {
  if (json) return JSON.stringify(result);
  const { bench, log, machine, rows } = result;
  const isOfSagas = bench.startsWith('sagas');
  const further = FURTHER.filter(([, text]) => rows.some((row) => text(row) !== ''));
  const head = ['system', 'case', ...(isOfSagas ? ['C'] : []), 'per second', 'spread', 'p50 ms', 'p99 ms'];
  const lines = rows.map((row) => [
    row.system,
    row.case,
    ...(isOfSagas ? [String(row.concurrency)] : []),
    cell(row.perSecond),
    range(row, 'perSecond'),
    cell(row.p50Ms),
    cell(row.p99Ms),
    cell(row.failed),
    ...further.map(([, text]) => text(row)),
  ]);
  const on = Object.entries(machine).map(([name, value]) => `${name} ${value}`);
  const columns = [...head, 'failed', ...further.map(([name]) => name)];
  return [`${bench}${log ? ` over ${log}` : ''}: ${on.join(', ')}`, '', table(columns, lines)].join('\n');
}

/** A sentence for each row whose system did something else than it should; none where all is well. */
export function verdict({ bench, rows }) {
  const words = bench.startsWith('sagas')
    ? 'sagas ended otherwise than they should'
    : 'events were lost or doubled';
  return rows
    .filter((row) => row.failed > 0)
    .map(({ system, case: what, failed, unexpected }) => {
      const why = unexpected ? ` (${unexpected})` : '';
      return `${system}, ${what}: ${failed} ${words}${why}`;
    });
}
