// A table and a progress bar for people.

/** Rows in columns: the first to the left, the others to the right. */
export function table(head, rows) {
  const all = [head, ...rows];
  const widths = head.map((_, c) => Math.max(...all.map((row) => row[c].length)));
  const line = (row) =>
    row.map((cell, c) => (c === 0 ? cell.padEnd(widths[c]) : cell.padStart(widths[c]))).join('   ');
  return [line(head), widths.map((w) => '-'.repeat(w)).join('   '), ...rows.map(line)].join('\n');
}

const WIDTH = 30;

/** Draws on standard error, and only where `shown`: a pipe gets nothing but the result. */
export function progressBar(total, shown) {
  let done = 0;
  return {
    step(what) {
      done++;
      if (!shown) return;
      const full = Math.round((WIDTH * done) / total);
      const bar = '#'.repeat(full) + '.'.repeat(WIDTH - full);
      process.stderr.write(`\r\x1b[K[${bar}] ${done}/${total} ${what}`);
    },
    end() {
      if (shown) process.stderr.write('\r\x1b[K');
    },
  };
}
