// Who may import whom, checked in every source file: `node tools/check/boundaries.mjs`.
//
// W1: dependencies run one way (ALLOWED).            W2: only specs import @aura/testing.
// W3: what a file imports, its package.json declares (specs: devDependencies too); what an application must
// share with a lib is the lib's peerDependency.
// W4: a package is imported by its exports, never by a path into it; a relative import stays in its project.
// W5: apps know no Kafka and no Avro.                W6: TypeScript's references equal the declared packages.
// W7: one version of each outside package, which peers allow.  W8: a declared workspace package is used.
import { builtinModules } from 'node:module';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CLONE, importsOf, readSource, report, sourcePaths } from './sources.mjs';
import { isSpec, workspace } from './workspace.mjs';

const LIBS = ['platform', 'contracts', 'event-log', 'eventing', 'saga', 'service'];
const left = (scope) => LIBS.slice(0, LIBS.indexOf(scope)).map((name) => `lib:${name}`);

/** Kind of a project -> kinds that it may import. A new kind of project needs a line here, and an ADR. */
export const ALLOWED = {
  ...Object.fromEntries(LIBS.map((scope) => [`lib:${scope}`, left(scope)])),
  'lib:testing': ['lib:platform'],
  schemas: ['lib:contracts'],
  app: [...LIBS.map((scope) => `lib:${scope}`), 'schemas'],
  local: [...LIBS.map((scope) => `lib:${scope}`), 'schemas', 'app', 'tools'],
  e2e: [...LIBS.map((scope) => `lib:${scope}`), 'schemas', 'app', 'local', 'tools'],
  tools: [...LIBS.map((scope) => `lib:${scope}`), 'schemas', 'app'],
};

const KAFKA = /^(kafkajs|avsc|@kafkajs\/.*)$/;

/**
 * What is wrong with the imports of one file. Pure.
 *
 * @param {import('./workspace.mjs').Project} project the file's
 * @param {import('./workspace.mjs').Project[]} projects
 * @param {Set<string>} rootDevDependencies which any spec may use
 */
export function wrongImports({ path, imports, project, projects, rootDevDependencies }) {
  const found = [];
  const spec = isSpec(path);
  for (const { specifier, line, typeOnly } of imports) {
    const add = (what, cure) => found.push({ path, line, what, cure });
    if (specifier.startsWith('.')) {
      const target = posix.join(posix.dirname(path), specifier);
      // Every vitest.config.ts takes its settings from tools/src; nothing else crosses over.
      if (!target.startsWith(`${project.path}/`) && !(spec && target.startsWith('tools/')))
        add(`${specifier} leaves ${project.path}`, 'Import the other project by its name.');
      continue;
    }
    const name = packageOf(specifier);
    if (specifier.startsWith('node:') || builtinModules.includes(name)) continue;
    const target = projects.find((each) => each.name === name);
    if (target && target !== project) wrongWorkspaceImport({ add, specifier, spec, project, target });
    if (project.kind === 'app' && KAFKA.test(name))
      add(
        `an app imports ${name}`,
        'Apps raise and handle events; the log is the business of libs/event-log.',
      );
    const { dependencies, devDependencies, optionalDependencies, peerDependencies } = project.manifest;
    const declared = {
      ...dependencies,
      ...optionalDependencies,
      ...peerDependencies,
      ...(spec && devDependencies),
    };
    const forTools =
      ((spec || project.kind === 'tools') && rootDevDependencies.has(name)) ||
      (typeOnly && rootDevDependencies.has(`@types/${name}`));
    // Tools load what was built by its path: only their types name the package.
    const typesOfTools = typeOnly && project.kind === 'tools';
    if (target !== project && !(name in declared) && !forTools && !typesOfTools)
      add(
        `${name} is not declared in ${project.path}/package.json`,
        `Declare it (${spec ? 'devDependencies' : 'dependencies'}).`,
      );
  }
  return found;
}

function wrongWorkspaceImport({ add, specifier, spec, project, target }) {
  if (target.kind === 'lib:testing') {
    if (!spec) add('only specs import @aura/testing', 'Move what is needed at run time into libs/platform.');
  } else if (!ALLOWED[project.kind]?.includes(target.kind))
    add(
      `${project.kind} may not import ${target.kind}`,
      'Dependencies run one way: docs/adr/0001-workspace.md.',
    );
  const subpath = `.${specifier.slice(target.name.length)}`;
  if (!(subpath in (target.manifest.exports ?? {})))
    add(`${specifier} reaches into ${target.path}`, `Export it from ${target.path}, or do without.`);
}

const packageOf = (specifier) =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');

/** W6: a project's TypeScript references against what its package.json declares. */
function wrongReferences(project, projects) {
  const findings = [];
  const pathsOf = (names) =>
    Object.keys(names ?? {}).flatMap(
      (name) => projects.find((each) => each.name === name && each.kind !== 'tools')?.path ?? [],
    );
  const { dependencies, devDependencies } = project.manifest;
  const wanted = {
    'tsconfig.lib.json': pathsOf(dependencies),
    'tsconfig.spec.json': [...pathsOf(devDependencies), project.path],
  };
  for (const [file, want] of Object.entries(wanted)) {
    const path = `${project.path}/${file}`;
    if (!existsSync(join(CLONE, path))) continue;
    const references = JSON.parse(readFileSync(join(CLONE, path), 'utf8')).references ?? [];
    const got = references.map((each) => posix.join(project.path, dirname(each.path)));
    const add = (what, cure) => findings.push({ path, what, cure });
    for (const each of want)
      if (!got.includes(each)) add(`no reference to ${each}`, 'Add it: package.json declares it.');
    for (const each of got)
      if (!want.includes(each) && !(file === 'tsconfig.spec.json' && pathsOf(dependencies).includes(each)))
        add(
          `a reference to ${each}, which package.json does not declare`,
          'Declare the package, or take it out.',
        );
  }
  return findings;
}

/** W7 */
export function severalVersions(projects) {
  const versions = new Map();
  for (const { path, manifest } of projects)
    for (const [name, version] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies }))
      versions.set(name, { ...versions.get(name), [version]: path });
  return [...versions]
    .filter(([, byVersion]) => Object.keys(byVersion).length > 1)
    .map(([name, byVersion]) => ({
      path: `${Object.values(byVersion).at(-1)}/package.json`,
      what: `${name} has several versions: ${Object.entries(byVersion)
        .map((pair) => pair.join(' in '))
        .join(', ')}`,
      cure: 'Agree on one.',
    }));
}

/** W7: a lib is tried with what it asks its user for: a peer's range begins at the version in use here. */
export function strangePeers({ path, manifest }) {
  return Object.entries(manifest.peerDependencies ?? {})
    .filter(([name, range]) => range !== `^${manifest.devDependencies?.[name]}`)
    .map(([name, range]) => ({
      path: `${path}/package.json`,
      what: `${name} is a peer at ${range}, but the tests have ${manifest.devDependencies?.[name] ?? 'none'}`,
      cure: 'Declare the exact version in devDependencies, and ^ with that version as the peer.',
    }));
}

/** W8 */
function unused(project, projects, imported) {
  return Object.keys({ ...project.manifest.dependencies, ...project.manifest.devDependencies })
    .filter((name) => projects.some((each) => each.name === name) && !imported.has(name))
    .map((name) => ({
      path: `${project.path}/package.json`,
      what: `${name} is declared but never imported`,
      cure: 'Take it out of package.json and of the TypeScript references.',
    }));
}

function check() {
  const projects = workspace();
  const root = JSON.parse(readFileSync(join(CLONE, 'package.json'), 'utf8'));
  const rootDevDependencies = new Set(Object.keys(root.devDependencies));
  const paths = sourcePaths();
  const findings = severalVersions([{ path: '.', manifest: root }, ...projects]);
  for (const project of projects) {
    const imported = new Set();
    for (const path of paths.filter((each) => each.startsWith(`${project.path}/`))) {
      const imports = importsOf(readSource(path));
      imports.forEach(({ specifier }) => imported.add(packageOf(specifier)));
      findings.push(...wrongImports({ path, imports, project, projects, rootDevDependencies }));
    }
    findings.push(
      ...wrongReferences(project, projects),
      ...strangePeers(project),
      ...unused(project, projects, imported),
    );
  }
  report('boundaries', findings, `${projects.length} projects`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) check();
