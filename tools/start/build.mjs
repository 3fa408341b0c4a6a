import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Problem } from './problem.mjs';
import { progress } from './progress.mjs';
import { runProgram } from './run-program.mjs';

/** The folders of the workspace's compiled projects. */
export function projects(clone) {
  const under = (folder) =>
    (existsSync(join(clone, folder)) ? readdirSync(join(clone, folder)) : []).map(
      (name) => `${folder}/${name}`,
    );
  return [...under('libs'), ...under('apps'), 'schemas'].filter((path) =>
    existsSync(join(clone, path, 'tsconfig.lib.json')),
  );
}

/**
 * Compiles what changed since the last time, and checks that the generated code belongs to the schemas.
 *
 * @param {string} clone
 * @param {string} node
 * @param {string[]} [wanted] project folders; what they refer to is built with them
 */
export async function buildAll(clone, node, wanted = projects(clone)) {
  const targets = wanted.map((path) => `${path}/tsconfig.lib.json`);
  const first = !wanted.every((path) => existsSync(join(clone, path, 'dist')));
  const shown = first ? progress('building') : null;
  const { status, output } = await runProgram(
    node,
    ['node_modules/typescript7/bin/tsc', '--build', ...targets],
    { cwd: clone },
  );
  if (status === 0) return shown?.done('built');
  shown?.failed('the build failed');
  throw new Problem(`The sources do not compile:\n${output.trim()}`, 'Correct them, then start again.');
}
