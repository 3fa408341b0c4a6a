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

/** One line of JSON, or a table for people. */
export function printed(result, json) {
  if (json) return JSON.stringify(result);
  const { bench, log, machine, rows } = result;
  const head = ['system', 'case', 'per second', 'spread', 'p50 ms', 'p99 ms', 'failed', 'heap MiB'];
  const lines = rows.map((row) => [
    row.system,
    row.case,
    cell(row.perSecond),
    range(row, 'perSecond'),
    cell(row.p50Ms),
    cell(row.p99Ms),
    cell(row.failed),
    heap(row),
  ]);
  const on = Object.entries(machine).map(([name, value]) => `${name} ${value}`);
  return [`${bench}${log ? ` over ${log}` : ''}: ${on.join(', ')}`, '', table(head, lines)].join('\n');
}

/** A sentence for each row whose system lost or doubled an event; none where all is well. */
export function verdict(rows) {
  return rows
    .filter((row) => row.failed > 0)
    .map((row) => `${row.system}, ${row.case}: ${row.failed} events were lost or doubled`);
}
