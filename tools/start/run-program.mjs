import { spawn } from 'node:child_process';

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
    const chunks = [];
    child.stdout?.on('data', (chunk) => chunks.push(chunk));
    child.stderr?.on('data', (chunk) => chunks.push(chunk));
    child.on('error', reject);
    // 'exit', not 'close': a server that the program leaves behind may keep the pipes open.
    child.on('exit', (code) =>
      setImmediate(() => resolve({ status: code ?? 128, output: String(Buffer.concat(chunks)) })),
    );
    child.stdin?.end(input);
  });
}
