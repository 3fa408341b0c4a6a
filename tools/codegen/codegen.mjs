// node tools/codegen/codegen.mjs             writes schemas/src/generated/*.ts and schemas/src/index.ts
// node tools/codegen/codegen.mjs --check     writes nothing; fails where what it would write differs
// node tools/codegen/codegen.mjs --release   writes, and notes all schemas in schemas/released.json: frozen from then on
// Needs libs/contracts built (`nx run @aura/schemas:codegen` does that first): compatibility is decided by the same code
// that the embedded registry runs.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import * as prettier from 'prettier';
import { readSchemaFiles } from './schema-files.mjs';
import { eventSource } from './typescript.mjs';

const CURE = 'npx nx run @aura/schemas:codegen';
const HEADER = `// Generated from schemas/ by tools/codegen. Do not edit: change the schema and run \`${CURE}\`.\n`;

const args = new Set(process.argv.slice(2));
const unknown = [...args].filter(
  (arg) => arg !== '--check' && arg !== '--release' && !arg.startsWith('--root='),
);
if (unknown.length > 0) fail([`unknown argument ${unknown.join(', ')}: --check, --release or nothing`]);
const root = [...args].find((arg) => arg.startsWith('--root='))?.slice('--root='.length);
const workspace = join(dirname(fileURLToPath(import.meta.url)), '../..');
const folder = root ?? join(workspace, 'schemas');

const contracts = await loadContracts();
const { files, problems } = readSchemaFiles(folder);
if (problems.length > 0) fail(problems);
const released = readReleased();
const refused = [...schemaProblems(), ...compatibilityProblems(), ...releaseProblems()];
if (refused.length > 0) fail(refused);
if (args.has('--release'))
  released.next = Object.fromEntries(
    files.map(({ file, schema }) => [file, contracts.fingerprintOf(schema)]),
  );

const fresh = await generate();
if (args.has('--check')) check(fresh);
else write(fresh);

async function loadContracts() {
  const path = join(workspace, 'libs/contracts/dist/index.js');
  if (!existsSync(path)) fail([`libs/contracts is not built: run ${CURE}, which builds it first`]);
  return import(pathToFileURL(path).href);
}

function readReleased() {
  const path = join(folder, 'released.json');
  return { path, known: existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {}, next: undefined };
}

function schemaProblems() {
  return files.flatMap(({ file, schema }) => {
    const problem = contracts.schemaProblem(schema);
    return problem === undefined ? [] : [`${file}: ${problem}`];
  });
}

/** Every revision with every earlier one of its event, both ways. */
function compatibilityProblems() {
  return files.flatMap((later) =>
    files
      .filter((f) => f.service === later.service && f.event === later.event && f.version < later.version)
      .flatMap((earlier) =>
        contracts
          .revisionProblems(later.schema, earlier.schema)
          .map(
            ({ path, reason }) =>
              `${later.file}: not compatible with v${earlier.version}: ${path === '' ? later.event : path}: ${reason}`,
          ),
      ),
  );
}

/** What was released may have been written with by somebody: it is never changed in place, nor taken away. */
function releaseProblems() {
  const byFile = new Map(files.map((f) => [f.file, f]));
  return Object.entries(released.known).flatMap(([file, fingerprint]) => {
    const now = byFile.get(file);
    if (!now) return [`${file}: released, but the file is gone: events written with it must stay readable`];
    if (contracts.fingerprintOf(now.schema) === fingerprint) return [];
    return [`${file}: released, but changed in place: undo it and add ${now.event}.v${now.version + 1}.avsc`];
  });
}

/** Path -> content of everything that this tool owns. */
async function generate() {
  const sources = new Map();
  const services = [...new Set(files.map(({ service }) => service))];
  for (const service of services) {
    const newest = files.filter(
      (f) => f.service === service && !files.some((g) => g.event === f.event && g.version > f.version),
    );
    const imports = "import { defineEvent, type EventType } from '@aura/contracts';";
    const source = [HEADER + imports, ...newest.map(eventSource)].join('\n\n');
    sources.set(join(folder, `src/generated/${service}.ts`), source);
  }
  const index = services.map((service) => `export * from './generated/${service}.js';`);
  sources.set(
    join(folder, 'src/index.ts'),
    `${HEADER}${index.length > 0 ? index.join('\n') : 'export {};'}\n`,
  );
  const outputs = new Map();
  for (const [path, source] of sources) {
    const config = await prettier.resolveConfig(join(workspace, 'schemas/src/index.ts'));
    outputs.set(path, await prettier.format(source, { ...config, parser: 'typescript' }));
  }
  return outputs;
}

/** Generated files that no schema asks for any more. */
function leftovers(outputs) {
  const generated = join(folder, 'src/generated');
  if (!existsSync(generated)) return [];
  return readdirSync(generated)
    .map((name) => join(generated, name))
    .filter((path) => !outputs.has(path));
}

function check(outputs) {
  const stale = [...outputs].filter(
    ([path, content]) => !existsSync(path) || readFileSync(path, 'utf8') !== content,
  );
  const paths = [...stale.map(([path]) => path), ...leftovers(outputs)];
  if (paths.length > 0)
    fail(paths.map((path) => `${shown(path)} is stale: run ${CURE} and commit what it writes`));
  console.log(`codegen: ${files.length} schemas, ${outputs.size} files, all fresh`);
}

function write(outputs) {
  mkdirSync(join(folder, 'src/generated'), { recursive: true });
  for (const [path, content] of outputs) writeFileSync(path, content);
  for (const path of leftovers(outputs)) rmSync(path);
  if (released.next) writeFileSync(released.path, `${JSON.stringify(released.next, null, 2)}\n`);
  console.log(`codegen: wrote ${outputs.size} files from ${files.length} schemas`);
}

function shown(path) {
  return path.slice(folder.length + 1).replace(/^/, 'schemas/');
}

function fail(lines) {
  console.error(lines.map((line) => `✖ ${line}`).join('\n'));
  process.exit(1);
}
