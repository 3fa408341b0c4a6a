const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/**
 * Shows on stderr that something is under way: a spinner with the time in a terminal, a plain line at the
 * start and at the end elsewhere.
 *
 * @param {string} text
 */
export function progress(text) {
  const out = process.stderr;
  const startedAt = Date.now();
  const seconds = () => `${((Date.now() - startedAt) / 1000).toFixed(1)} s`;
  let frame = 0;
  const draw = () => out.write(`\r\x1b[2K${FRAMES[frame++ % FRAMES.length]} ${text} … ${seconds()}`);
  if (!out.isTTY) out.write(`… ${text}\n`);
  const timer = out.isTTY ? setInterval(draw, 100) : null;
  const end = (mark, said) => {
    if (timer) clearInterval(timer);
    out.write(`${out.isTTY ? '\r\x1b[2K' : ''}${mark} ${said} (${seconds()})\n`);
  };
  return {
    /** @param {string} [said] instead of the text */
    done: (said = text) => end('✔', said),
    failed: (said = text) => end('✖', said),
  };
}
