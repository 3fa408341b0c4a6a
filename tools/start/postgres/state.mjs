import { randomBytes } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileProblem, Problem } from '../problem.mjs';

/**
 * What is remembered about the server of a home folder, in `server.json`, readable for its owner only.
 *
 * @typedef {object} ServerState
 * @property {string} password of the superuser `postgres`
 * @property {number} [port] the last one used: kept, so that bookmarks and shells find the server again
 * @property {number | 'infra'} [owner] whose `stop()` stops it: a process, or `npm run infra -- down`
 */

/**
 * @returns {{ state: ServerState, isNew: boolean }} the remembered one, or a new one with a random password
 */
export function readState(home) {
  const file = join(home, 'server.json');
  try {
    return { state: JSON.parse(readFileSync(file, 'utf8')), isNew: false };
  } catch (error) {
    if (error.code === 'ENOENT')
      return { state: { password: randomBytes(24).toString('base64url') }, isNew: true };
    if (error instanceof SyntaxError)
      throw new Problem(
        `${file} is not JSON any more.`,
        `Delete that file: the data stays, the password is set anew.`,
      );
    throw fileProblem(error, file);
  }
}

/** @param {ServerState} state */
export function writeState(home, state) {
  const file = join(home, 'server.json');
  try {
    writeFileSync(`${file}.new`, JSON.stringify(state, null, 2) + '\n', { mode: 0o600 });
    renameSync(`${file}.new`, file);
  } catch (error) {
    throw fileProblem(error, file);
  }
}
