import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { CLONE } from '../src/clone.js';

/** Compiles what the tests start as processes: a stale `dist` would prove nothing of the sources. */
export default async function setup(): Promise<void> {
  const args = [
    'node_modules/typescript7/bin/tsc',
    '--build',
    'e2e/tsconfig.lib.json',
    'apps/local/tsconfig.lib.json',
  ];
  try {
    await promisify(execFile)(process.execPath, args, { cwd: CLONE });
  } catch (error) {
    throw new Error(
      `the programs under test do not compile:\n${(error as { stdout?: string }).stdout ?? ''}`,
      {
        cause: error,
      },
    );
  }
}
