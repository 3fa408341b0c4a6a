import Table from 'cli-table3';
import pc from 'picocolors';

/** What a command prints: tables for people, one JSON document for scripts. Picocolors knows NO_COLOR. */
export class Output {
  /** @param {{ json: boolean, out: NodeJS.WritableStream, err: NodeJS.WritableStream }} options */
  constructor({ json, out, err }) {
    this.json = json;
    this.out = out;
    this.err = err;
  }

  /** A line for people; scripts don't see it. */
  line(text = '') {
    if (!this.json) this.out.write(`${text}\n`);
  }

  /** As `line`, for text of others. */
  words(text) {
    this.line(printable(text));
  }

  /** A line beside the output: progress, a service that is down. */
  aside(text) {
    this.err.write(`${printable(text)}\n`);
  }

  /** The one document for scripts; people don't see it. */
  document(value) {
    if (this.json) this.out.write(`${JSON.stringify(value, null, 2)}\n`);
  }

  /**
   * @param {string[]} head
   * @param {unknown[][]} rows
   * @param {string} empty what is said where there is no row; nothing where it is empty
   */
  table(head, rows, empty) {
    if (this.json) return;
    if (rows.length === 0) return empty === '' ? undefined : this.line(empty);
    const colour = this.out.isTTY === true && pc.isColorSupported;
    const table = new Table({
      head,
      // Twelve partitions are twelve lines.
      chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
      style: { head: colour ? ['bold'] : [], border: colour ? ['gray'] : [] },
      ...widths(head, rows, this.out.isTTY ? this.out.columns : Infinity),
    });
    for (const row of rows) table.push(row.map(cell));
    this.line(table.toString());
  }
}

/** In a terminal the last column, of words, takes what is left, and wraps; whoever greps wants lines. */
function widths(head, rows, width) {
  const longest = (at) =>
    Math.max(...[head, ...rows].flatMap((row) => cell(row[at]).split('\n')).map((line) => line.length));
  const last = head.length - 1;
  const taken = head.slice(0, last).map((_, at) => longest(at) + 2);
  const left = Math.max(24, width - taken.reduce((sum, each) => sum + each + 1, 2));
  return longest(last) + 2 <= left ? {} : { colWidths: [...taken, left], wordWrap: true };
}

function cell(value) {
  return value === undefined || value === null ? '' : printable(String(value));
}

/**
 * Text of others (keys, errors) without what a terminal takes as an order: nobody may paint over an alarm
 * with the key of an event.
 */
export function printable(text) {
  // oxlint-disable-next-line no-control-regex -- these are what must not come through
  return text.replaceAll(/[\u0000-\u0009\u000B-\u001F\u007F-\u009F]/g, '\uFFFD');
}

/** `2026-11-26 23:04:11Z` */
export function timeText(iso) {
  return iso ? iso.replace('T', ' ').replace(/\.\d+Z$/, 'Z') : '';
}

/** 1 letter, 2 letters */
export function counted(number, noun) {
  return `${number} ${noun}${Number(number) === 1 ? '' : 's'}`;
}
