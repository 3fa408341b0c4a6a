const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/**
 * Shows on stderr that something is under way: a spinner with the time in a terminal, a plain line at the
 * start, every 20 s and at the end elsewhere. What ends within `quietMs` shows nothing, unless it failed.
 *
 * @param {string} text
 * @param {{ quietMs?: number }} [options]
 */
export function progress(text, { quietMs = 0 } = {}) {
  const out = process.stderr;
  const startedAt = Date.now();
  let now = text;
  const seconds = () => `${((Date.now() - startedAt) / 1000).toFixed(1)} s`;
  let shown = false;
  let timer;
  const begin = () => {
    shown = true;
    let frame = 0;
    const spin = () => out.write(`\r\x1b[2K${FRAMES[frame++ % FRAMES.length]} ${now} … ${seconds()}`);
    const say = () => out.write(`… ${now}${frame++ ? ` (${seconds()})` : ''}\n`);
    if (!out.isTTY) say();
    timer = out.isTTY ? setInterval(spin, 100) : setInterval(say, 20_000);
  };
  if (quietMs === 0) begin();
  else timer = setTimeout(begin, quietMs);
  const end = (mark, said) => {
    clearTimeout(timer); // an interval too
    out.write(`${shown && out.isTTY ? '\r\x1b[2K' : ''}${mark} ${said} (${seconds()})\n`);
  };
  return {
    /** @param {string} words how far it is, instead of the text */
    update: (words) => (now = words),
    /** @param {string} [said] instead of the text */
    done: (said = now) => (shown ? end('✔', said) : clearTimeout(timer)),
    failed: (said = now) => end('✖', said),
  };
}
