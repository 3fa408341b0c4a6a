// Writes schemas/src/generated/*.ts and schemas/src/index.ts. Needs libs/contracts built (`npm run codegen`
// does that first): compatibility is decided by the same code that the embedded registry runs.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { misused, readArguments } from '../start/usage.mjs';
import { CURE, generate } from './generate.mjs';

const USAGE = `usage: npm run codegen -- [--check | --release]

  (nothing)  write the types and tokens of the events in schemas/
  --check    write nothing; fail where what would be written differs
  --release  write, and note all schemas in schemas/released.json: frozen from then on

Examples:
  npm run codegen
  npm run codegen -- --check`;

const workspace = join(dirname(fileURLToPath(import.meta.url)), '../..');
const { values, positionals } = readArguments(USAGE, {
  check: { type: 'boolean', default: false },
  release: { type: 'boolean', default: false },
});
if (positionals.length > 0) misused(USAGE, 'It takes no names: it writes everything.');
if (values.check && values.release) misused(USAGE, 'Give --check or --release, not both.');
const mode = values.check ? 'check' : values.release ? 'release' : 'write';

try {
  const library = join(workspace, 'libs/contracts/dist/index.js');
  if (!existsSync(library))
    throw new Error(`libs/contracts is not built: run ${CURE}, which builds it first`);
  const contracts = await import(pathToFileURL(library).href);
  const { problems, summary } = await generate({ folder: join(workspace, 'schemas'), mode, contracts });
  if (problems.length > 0) throw new Error(problems.join('\n✖ '));
  console.log(`codegen: ${summary}`);
} catch (error) {
  console.error(`✖ ${error.message}`);
  process.exitCode = 1;
}
