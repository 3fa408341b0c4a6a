// node tools/codegen/codegen.mjs             writes schemas/src/generated/*.ts and schemas/src/index.ts
// node tools/codegen/codegen.mjs --check     writes nothing; fails where what it would write differs
// node tools/codegen/codegen.mjs --release   writes, and notes all schemas in schemas/released.json: frozen
// from then on Needs libs/contracts built (`nx run @aura/schemas:codegen` does that first): compatibility
// is decided by the same code that the embedded registry runs.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { CURE, generate } from './generate.mjs';

const workspace = join(dirname(fileURLToPath(import.meta.url)), '../..');
const [flag, ...more] = process.argv.slice(2);
const mode = { none: 'write', '--check': 'check', '--release': 'release' }[flag ?? 'none'];

try {
  if (!mode || more.length > 0) throw new Error('arguments: --check, --release or nothing');
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
