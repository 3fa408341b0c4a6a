import { execFileSync, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { isAlive } from '../start/lock.mjs';
import { Problem } from '../start/problem.mjs';

/**
 * Starts a program that outlives this process; its output goes to `logFile`. Gives its pid.
 *
 * @returns {{ pid: number, exited: Promise<number | string> }} `exited` only while this process lives
 */
export function launch(command, args, { cwd, logFile, env = process.env }) {
  const log = openSync(logFile, 'a');
  const stdio = ['ignore', log, log];
  const child = spawn(command, args, { cwd, env, detached: true, stdio, windowsHide: true });
  closeSync(log);
  const exited = new Promise((resolve) => {
    child.once('error', (error) => resolve(error.code));
    child.once('exit', (code, signal) => resolve(code ?? signal));
  });
  child.unref();
  return { pid: child.pid, exited };
}

/**
 * Whether `pid` is a living process whose command line holds `mark`: a pid file may have outlived its
 * process.
 */
export function isOurs(pid, mark) {
  if (!pid || !isAlive(pid)) return false;
  if (process.platform === 'win32') return true; // no cheap way to tell
  try {
    const line = existsSync(`/proc/${pid}/cmdline`)
      ? readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
      : execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' });
    return line.includes(mark);
  } catch {
    return false; // it ended while we looked
  }
}

/** Ends a process: politely, then after `graceMs` for good. Resolves when it is gone. */
export async function end(pid, { graceMs = 8_000, signal = 'SIGTERM' } = {}) {
  const killAt = Date.now() + graceMs;
  for (let sent = null; isRunning(pid);) {
    const wanted = Date.now() >= killAt ? 'SIGKILL' : signal;
    if (wanted !== sent) {
      sent = wanted;
      try {
        process.kill(pid, wanted);
      } catch (error) {
        if (error.code !== 'ESRCH') throw error;
        return;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** A process that ended but was not waited for yet (a zombie) still has its pid: it counts as gone. */
function isRunning(pid) {
  if (!isAlive(pid)) return false;
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return isAlive(pid); // not Linux, or gone this moment
  }
}

/**
 * Waits until `probe` is true; a process that ends meanwhile, or `withinMs`, makes it a `Problem` with its
 * last words.
 */
export async function untilReady({ name, probe, exited, logFile, withinMs = 120_000 }) {
  /** @type {{ how?: number | string }} */
  const exit = {};
  void exited.then((how) => (exit.how = how));
  for (const stopAt = Date.now() + withinMs; ;) {
    if (await probe()) return;
    if (exit.how !== undefined)
      throw new Problem(`${name} ended while it started (${exit.how}).`, lastWords(logFile));
    if (Date.now() > stopAt)
      throw new Problem(`${name} was not ready within ${withinMs / 1000} s.`, lastWords(logFile));
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Rejects with a `Problem` of these words when `signal` is aborted; never without. For a race. */
export function interrupted(signal, words) {
  return new Promise((_, reject) => {
    const stop = () => reject(new Problem(words));
    if (signal?.aborted) stop();
    signal?.addEventListener('abort', stop, { once: true });
  });
}

function lastWords(logFile) {
  const lines = readFileSync(logFile, 'utf8').trim().split('\n').slice(-8);
  return `Its last words (${logFile}):\n${lines.join('\n')}`;
}

/** Whether somebody listens on a port of 127.0.0.1. */
export function listens(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** Whether a URL answers with success. */
export async function answers(url) {
  return (await answer(url))?.ok === true;
}

/** Whether a URL answers with success and in JSON: a server's page for whatever it does not know does not. */
export async function answersInJson(url, init) {
  const said = await answer(url, init);
  return said?.ok === true && /json/.test(said.headers.get('content-type') ?? '');
}

async function answer(url, init = {}) {
  try {
    return await fetch(url, { ...init, signal: AbortSignal.timeout(3_000) });
  } catch {
    return null; // not yet
  }
}
