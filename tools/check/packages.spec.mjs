// What a lib is outside of this workspace: what `npm pack` would send, and what that needs of its user.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join, posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CLONE, importsOf, parse } from './sources.mjs';

const LIBS = ['platform', 'contracts', 'event-log', 'eventing', 'saga', 'service'];
/** What an application has as well: two copies in one process would not know each other's classes. */
const SHARED = /^(pg|typeorm|zod|rxjs|reflect-metadata|@nestjs\/.*|@opentelemetry\/api)$/;

describe.each(LIBS)('@aura/%s outside of the workspace', (lib) => {
  const folder = join(CLONE, 'libs', lib);
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const pack = execFileSync(npm, ['pack', '--dry-run', '--json', '--ignore-scripts', '--loglevel=error'], {
    cwd: folder,
    shell: process.platform === 'win32',
    encoding: 'utf8',
  });
  const [{ files }] = Object.values(JSON.parse(pack));
  const packed = files.map(({ path }) => path);
  const sources = packed
    .filter((path) => /^src\/.*\.ts$/.test(path))
    .map((path) => ({ path, text: readFileSync(join(folder, path), 'utf8') }));

  it('has its sources and its build in it, and no test', () => {
    expect(sources.length).toBeGreaterThan(3);
    expect(packed.filter((path) => /\.spec\.|^test\/|vitest/.test(path))).toEqual([]);
    // The suite that adapters of the log pass is for this workspace: it needs its test runner.
    const { './conformance': _, ...entries } = manifest.exports;
    const targets = Object.values(entries).flatMap((each) =>
      typeof each === 'string' ? each : Object.values(each),
    );
    for (const target of targets) expect(target).toMatch(/^\.\/(src|dist)\/|^\.\/package\.json$/);
    expect(manifest.files).toEqual(expect.arrayContaining(['src', 'dist']));
  });

  it('imports only what its package.json brings or asks for, and no app', () => {
    const declared = new Set(Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }));
    const strangers = sources.flatMap(({ path, text }) =>
      importsOf(parse(path, text))
        .filter(({ typeOnly }) => !typeOnly)
        .map(({ specifier }) => specifier)
        .filter((specifier) => !specifier.startsWith('node:') && !builtinModules.includes(specifier))
        .filter((specifier) =>
          specifier.startsWith('.')
            ? posix.join(posix.dirname(path), specifier).startsWith('..')
            : !declared.has(/^(@[^/]+\/)?[^/]+/.exec(specifier)[0]),
        )
        .map((specifier) => `${path}: ${specifier}`),
    );
    expect(strangers).toEqual([]);
    const workspace = [...declared].filter((name) => name.startsWith('@aura/'));
    expect(workspace.filter((name) => !LIBS.includes(name.slice(6)))).toEqual([]);
  });

  it('asks for what an application must share with it, and does not bring a second copy', () => {
    expect(Object.keys(manifest.dependencies ?? {}).filter((name) => SHARED.test(name))).toEqual([]);
  });

  it('reads no file of the workspace at run time', () => {
    const outside = /new URL\(\s*['"]\.\.\/\.\.\/|process\.cwd\(\)|__dirname|import\.meta\.dirname/;
    expect(sources.filter(({ text }) => outside.test(text)).map(({ path }) => path)).toEqual([]);
  });
});
