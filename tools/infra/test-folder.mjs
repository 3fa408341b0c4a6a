import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isAlive } from '../start/lock.mjs';

/**
 * A temporary folder for a server of one test run. What killed test runs left under the same prefix goes
 * first: `endAll` ends what runs in such a folder.
 *
 * @param {string} prefix
 * @param {(dir: string) => Promise<unknown>} endAll
 */
export async function testFolder(prefix, endAll) {
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith(prefix))) {
    const left = join(tmpdir(), name);
    const file = join(left, 'owner');
    const owner = existsSync(file) ? Number(readFileSync(file, 'utf8')) : null;
    if (owner === null || isAlive(owner)) continue;
    await endAll(left);
    rmSync(left, { recursive: true, force: true });
  }
  const dir = mkdtempSync(join(tmpdir(), prefix));
  writeFileSync(join(dir, 'owner'), String(process.pid));
  return dir;
}
