import { spawn } from 'node:child_process';

const running = new Set();

/** Ends the programs that are running: what an interrupted command must not leave behind. */
export function endPrograms() {
  for (const child of running) child.kill();
}

/**
 * Runs a program to its end and collects what it prints.
 *
 * @param {string} file
 * @param {string[]} args
 * @param {import('node:child_process').SpawnOptions & { input?: string }} [options]
 * @returns {Promise<{ status: number, output: string }>} `output` is stdout and stderr as they came; a
 *   program that cannot be started rejects with the system's error; one ended by a signal has status 128
 */
export function runProgram(file, args, { input, ...options } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      windowsHide: true,
      ...options,
    });
    running.add(child);
    const chunks = [];
    child.stdout?.on('data', (chunk) => chunks.push(chunk));
    child.stderr?.on('data', (chunk) => chunks.push(chunk));
    child.on('error', (error) => {
      running.delete(child);
      reject(error);
    });
    child.on('exit', (code) => {
      running.delete(child);
      const done = () => resolve({ status: code ?? 128, output: String(Buffer.concat(chunks)) });
      child.on('close', done);
      setTimeout(done, 1000).unref(); // a server that the program left behind may keep the pipes open
    });
    child.stdin?.end(input);
  });
}
