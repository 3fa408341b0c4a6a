// The server as a process: is it there, start it, stop it. It is a daemon of its own (pg_ctl), so it outlives
// whoever started it, and everything about it can be read from its data folder.
import { execFileSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isAlive } from '../lock.mjs';
import { fileProblem, Problem } from '../problem.mjs';
import { runProgram } from '../run-program.mjs';
import { asServerUser } from './server-user.mjs';

/**
 * @typedef {object} Place
 * @property {string} dataDir
 * @property {ReturnType<typeof import('./server-user.mjs').serverUser>} user
 * @property {ReturnType<typeof import('./binaries.mjs').findBinaries>} binaries
 */

/**
 * The server that runs on a data folder, whoever started it; null when none does. Clears away what a killed
 * one left.
 */
export function runningServer(dataDir) {
  const file = join(dataDir, 'postmaster.pid');
  if (!existsSync(file)) return null;
  const lines = readFileSync(file, 'utf8').split('\n');
  const pid = Number(lines[0]);
  if (isAlive(pid) && isPostgres(pid)) return { pid, port: Number(lines[3]) };
  // Killed, or the machine went down, and by now the pid may be anybody's: Postgres itself would refuse to
  // start then.
  rmSync(file, { force: true });
  return null;
}

function isPostgres(pid) {
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'postgres';
    if (process.platform === 'win32')
      return execFileSync('tasklist', ['/FI', `PID eq ${pid}`, '/NH'], { encoding: 'utf8' }).includes(
        'postgres',
      );
    return execFileSync('ps', ['-p', String(pid), '-o', 'comm='], { encoding: 'utf8' }).includes('postgres');
  } catch {
    return false; // ended in the meantime
  }
}

/**
 * Makes the data folder of a new server. It appears whole or not at all: a start that was killed in the
 * middle leaves only a folder that the next one throws away.
 *
 * @param {Place} place
 */
export async function initialise({ dataDir, user, binaries }, password, durable) {
  const half = `${dataDir}.new`;
  const passwordFile = `${half}.password`;
  rmSync(half, { recursive: true, force: true });
  try {
    mkdirSync(half, { recursive: true, mode: 0o700 });
    writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
    if (user) for (const path of [half, passwordFile]) chownSync(path, user.uid, user.gid);
    const args = [
      '-D',
      half,
      '-U',
      'postgres',
      `--pwfile=${passwordFile}`,
      '-A',
      'scram-sha-256',
      '-E',
      'UTF8',
    ];
    args.push('--no-locale', '--no-instructions', ...(durable ? [] : ['--no-sync']));
    const { status, output } = await postgresProgram(binaries.initdb, args, user);
    if (status !== 0) throw explained(output, dataDir);
    renameSync(half, dataDir);
  } catch (error) {
    rmSync(half, { recursive: true, force: true });
    throw fileProblem(error, dirname(dataDir));
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

/**
 * Starts the server and waits until it takes connections.
 *
 * @param {Place} place
 * @returns {Promise<'started' | 'port-taken'>}
 */
export async function launch({ dataDir, user, binaries }, port, durable) {
  writeSettings(dataDir, user, port, durable);
  const log = join(dataDir, 'server.log');
  // A server killed with kill -9 leaves children that need a moment to notice; until then its memory counts
  // as in use.
  for (let attempt = 0; ; attempt++) {
    rmSync(log, { force: true });
    const args = ['start', '-D', dataDir, '-w', '-t', '120', '-s', '-l', log];
    const { status, output } = await postgresProgram(binaries.pgCtl, args, user);
    if (status === 0) return 'started';
    const said = output + (existsSync(log) ? readFileSync(log, 'utf8') : '');
    if (/Address already in use|could not bind/.test(said)) return 'port-taken';
    if (!/shared memory block .*still in use/.test(said) || attempt === 30) throw explained(said, dataDir);
    await new Promise((done) => setTimeout(done, 200));
  }
}

/** Stops the server of a data folder; open transactions roll back. */
export async function halt({ dataDir, user, binaries }) {
  const args = ['stop', '-D', dataDir, '-m', 'fast', '-w', '-t', '60', '-s'];
  const { status, output } = await postgresProgram(binaries.pgCtl, args, user);
  if (status !== 0 && runningServer(dataDir)) throw explained(output, dataDir);
}

/** Sets the superuser's password anew on a stopped server, when the file that knew it is gone. */
export async function resetPassword({ dataDir, user, binaries }, password) {
  const { status, output } = await postgresProgram(
    binaries.postgres,
    ['--single', '-D', dataDir, 'postgres'],
    user,
    {
      input: `ALTER ROLE postgres PASSWORD '${password}';\n`, // base64url: nothing to escape
    },
  );
  if (status !== 0) throw explained(output, dataDir);
}

function postgresProgram(file, args, user, options) {
  const env = { ...process.env, LC_ALL: 'C', TZ: 'UTC' };
  for (const name of Object.keys(env)) if (name.startsWith('PG')) delete env[name];
  return runProgram(file, args, { ...asServerUser(user), env, ...options });
}

function writeSettings(dataDir, user, port, durable) {
  const file = join(dataDir, 'aura.conf');
  const lines = [
    '# Written at each start; settings of your own belong into postgresql.auto.conf (ALTER SYSTEM).',
    `port = ${port}`,
    "listen_addresses = '127.0.0.1'",
    "unix_socket_directories = ''",
    'max_connections = 300',
    'shared_buffers = 128MB',
    "timezone = 'UTC'",
    'synchronous_commit = on',
    ...(durable ? [] : ['fsync = off', 'full_page_writes = off']),
  ];
  try {
    writeFileSync(file, lines.join('\n') + '\n');
    if (user) chownSync(file, user.uid, user.gid);
    const main = join(dataDir, 'postgresql.conf');
    const text = readFileSync(main, 'utf8');
    if (!text.includes("include 'aura.conf'")) writeFileSync(main, `${text}\ninclude 'aura.conf'\n`);
  } catch (error) {
    throw fileProblem(error, dataDir);
  }
}

/** Postgres's programs tell their troubles in text only. */
function explained(output, dataDir) {
  const said = output.trim().split('\n').slice(-6).join('\n');
  if (/No space left on device|Disk quota exceeded|Check free disk space/.test(output))
    return fileProblem({ code: 'ENOSPC' }, dataDir);
  if (/Read-only file system/.test(output)) return fileProblem({ code: 'EROFS' }, dataDir);
  if (/wrong ownership|Permission denied/.test(output))
    return new Problem(
      `The Postgres data in ${dataDir} belongs to another user.`,
      'Start this as the user who started it first, or delete that folder (its data is lost then).',
    );
  if (/incompatible with server/.test(output))
    return new Problem(
      `The Postgres data in ${dataDir} was made by another version of Postgres.`,
      'Delete that folder (its data is lost then), or go back to the version of the project that made it.',
    );
  return new Problem(
    `Postgres did not start on ${dataDir}. It said:\n${said}`,
    `More in ${join(dataDir, 'server.log')}`,
  );
}
