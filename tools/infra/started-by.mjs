import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const fileIn = (dir) => join(dir, 'started-by');

/** Remembers what `up` started in a server's folder, so that `down` ends that and nothing else. */
export function remember(dir, by) {
  mkdirSync(dir, { recursive: true });
  writeFileSync(fileIn(dir), by);
}

/** What was remembered, or null. */
export function startedBy(dir) {
  return existsSync(fileIn(dir)) ? readFileSync(fileIn(dir), 'utf8') : null;
}

export function forget(dir) {
  rmSync(fileIn(dir), { force: true });
}
