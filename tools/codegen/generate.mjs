// What codegen.mjs does, as one function that its spec can call.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as prettier from 'prettier';
import { readSchemaFiles } from './schema-files.mjs';
import { eventSource, SHARED } from './typescript.mjs';

export const CURE = 'npx nx run @aura/schemas:codegen';
const HEADER = `// Generated from schemas/ by tools/codegen. Change the schema instead, then: ${CURE}\n`;

/**
 * Checks all schemas of `folder`, then writes or compares what follows from them. With problems nothing is
 * written.
 */
export async function generate({ folder, mode, contracts }) {
  const { files, problems } = readSchemaFiles(folder);
  if (problems.length > 0) return { problems, summary: '' };
  const released = readReleased(folder);
  const refused = [
    ...schemaProblems(files, contracts),
    ...compatibilityProblems(files, contracts),
    ...releaseProblems(files, released, contracts),
  ];
  if (refused.length > 0) return { problems: refused, summary: '' };
  const outputs = await sources(folder, files);
  if (mode === 'check') {
    const summary = `${files.length} schemas, ${outputs.size} files, all fresh`;
    return { problems: staleProblems(folder, outputs), summary };
  }
  write(folder, outputs);
  if (mode === 'release')
    writeJson(
      join(folder, 'released.json'),
      Object.fromEntries(files.map(({ file, schema }) => [file, contracts.fingerprintOf(schema)])),
    );
  return { problems: [], summary: `wrote ${outputs.size} files from ${files.length} schemas` };
}

/** File -> fingerprint of what has been released. */
function readReleased(folder) {
  const path = join(folder, 'released.json');
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {};
}

function schemaProblems(files, contracts) {
  return files.flatMap(({ file, schema }) => {
    const problem = contracts.schemaProblem(schema);
    return problem === undefined ? [] : [`${file}: ${problem}`];
  });
}

/** Every revision with every earlier one of its event, both ways. */
function compatibilityProblems(files, contracts) {
  return files.flatMap((later) =>
    files
      .filter((f) => f.service === later.service && f.event === later.event && f.version < later.version)
      .flatMap((earlier) =>
        contracts.revisionProblems(later.schema, earlier.schema).map(({ path, reason }) => {
          const where = path === '' ? later.event : path;
          return `${later.file}: not compatible with v${earlier.version}: ${where}: ${reason}`;
        }),
      ),
  );
}

/** What was released may have been written with by somebody: it is never changed in place, nor taken away. */
function releaseProblems(files, released, contracts) {
  const byFile = new Map(files.map((f) => [f.file, f]));
  return Object.entries(released).flatMap(([file, fingerprint]) => {
    const now = byFile.get(file);
    if (!now) return [`${file}: released, but the file is gone: events written with it must stay readable`];
    if (contracts.fingerprintOf(now.schema) === fingerprint) return [];
    return [`${file}: released, but changed in place: undo it and add ${now.event}.v${now.version + 1}.avsc`];
  });
}

/** The wire contract of sagas is the lib's own; seen from the folder `schemas`. */
const PROTOCOL = '../libs/saga/src/generated/protocol.ts';

function importsOf(tokens) {
  const used = [
    ['defineEvent', 'EventType'],
    ['defineBranch', 'BranchType'],
    ['defineSharedEvent', 'SharedEvent'],
  ].filter(([make]) => tokens.some((token) => token.includes(`= ${make}<`)));
  const names = used.flatMap(([make, type]) => [make, `type ${type}`]);
  return `import { ${names.join(', ')} } from '@aura/contracts';`;
}

/** Path -> content of everything that this tool owns. */
async function sources(folder, files) {
  const config = await prettier.resolveConfig(fileURLToPath(import.meta.url));
  const outputs = new Map();
  const put = async (path, source) =>
    outputs.set(join(folder, path), await prettier.format(source, { ...config, parser: 'typescript' }));
  const services = [...new Set(files.map(({ service }) => service))];
  for (const service of services) {
    const newest = files.filter(
      (f) => f.service === service && !files.some((g) => g.event === f.event && g.version > f.version),
    );
    const earlier = ({ event, version }) =>
      files.filter((f) => f.event === event && f.version < version).map(({ schema }) => schema);
    const tokens = newest.map((file) => eventSource(file, earlier(file)));
    const path = service === SHARED ? PROTOCOL : `src/generated/${service}.ts`;
    await put(path, [HEADER + importsOf(tokens), ...tokens].join('\n\n'));
  }
  const own = services.filter((service) => service !== SHARED);
  const index = own.map((service) => `export * from './generated/${service}.js';`);
  await put('src/index.ts', HEADER + (index.length > 0 ? index.join('\n') : 'export {};'));
  return outputs;
}

function staleProblems(folder, outputs) {
  const stale = [...outputs].filter(
    ([path, content]) => !existsSync(path) || readFileSync(path, 'utf8') !== content,
  );
  return [...stale.map(([path]) => path), ...leftovers(folder, outputs)].map((path) => {
    const shown = relative(dirname(folder), path).replaceAll('\\', '/');
    return `${shown} is stale: run ${CURE} and commit what it writes`;
  });
}

function write(folder, outputs) {
  for (const [path, content] of outputs) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
  for (const path of leftovers(folder, outputs)) rmSync(path);
}

/** Generated files that no schema asks for any more. */
function leftovers(folder, outputs) {
  const generated = join(folder, 'src/generated');
  if (!existsSync(generated)) return [];
  return readdirSync(generated)
    .map((name) => join(generated, name))
    .filter((path) => !outputs.has(path));
}

function writeJson(path, value) {
  writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`);
}
