import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
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
  return [...under('libs'), ...under('apps'), 'schemas', 'e2e'].filter((path) =>
    existsSync(join(clone, path, 'tsconfig.lib.json')),
  );
}

/**
 * Checks that the generated code belongs to the schemas, then compiles what changed since the last time.
 *
 * @param {string} clone
 * @param {string} node
 * @param {string[]} [wanted] project folders; what they refer to is built with them
 */
export async function build(clone, node, wanted = projects(clone)) {
  if (wanted.length === 0) return;
  if (wanted.some((path) => !path.startsWith('libs/'))) await checkGenerated(clone, node);
  await compile(clone, node, wanted);
}

async function compile(clone, node, folders) {
  const shown = progress('building', { quietMs: 1000 });
  const configs = folders.map((path) => `${path}/tsconfig.lib.json`);
  const args = ['node_modules/typescript7/bin/tsc', '--build', ...configs];
  const { status, output } = await runProgram(node, args, { cwd: clone });
  if (status === 0) return shown.done('built');
  shown.failed('the build failed');
  throw new Problem(`The sources do not compile:\n${output.trim()}`, 'Correct them, then start again.');
}

/** Looks only when a schema, the generator or its output changed since it was last found right. */
async function checkGenerated(clone, node) {
  const generator = join(clone, 'tools/codegen/codegen.mjs');
  if (!existsSync(generator)) return;
  const stamp = join(clone, '.aura/generated-code');
  const now = stateOf(clone, ['schemas', 'tools/codegen']);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === now) return;
  await compile(clone, node, ['libs/contracts']); // the generator calls it
  const { status, output } = await runProgram(node, [generator, '--check'], { cwd: clone });
  if (status !== 0)
    throw new Problem(
      `The generated code does not belong to the schemas:\n${output.trim()}`,
      '`npm run codegen`',
    );
  writeFileSync(stamp, now);
}

/** Names, sizes and times of the files below some folders, as one hash. */
function stateOf(clone, folders) {
  const hash = createHash('sha256');
  for (const folder of folders)
    for (const entry of readdirSync(join(clone, folder), { recursive: true }).map(String).toSorted()) {
      if (/(^|[\\/])(node_modules|dist|out-tsc)([\\/]|$)/.test(entry)) continue;
      const { size, mtimeMs } = statSync(join(clone, folder, entry));
      hash.update(`${folder}/${entry} ${size} ${mtimeMs}\n`);
    }
  return hash.digest('hex');
}
