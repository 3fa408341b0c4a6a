import { describe, expect, it } from 'vitest';
import { severalVersions, strangePeers, wrongImports } from './boundaries.mjs';
import { dependencyRows } from './docs.mjs';
import { tooLong, withExceptions } from './limits.mjs';
import { impurities } from './purity.mjs';
import { importsOf, parse } from './sources.mjs';

const lines = (count) => Array.from({ length: count }, (_, n) => `  call(${n});`).join('\n');

const project = (path, kind, manifest = {}) => ({
  path,
  kind,
  name: `@aura/${path.split('/').at(-1)}`,
  manifest,
});

const impure = (text) =>
  impurities(parse('libs/x/src/a.ts', text), new Set(['libs/x/src/pure.ts'])).map((each) => each.what);

describe('limits', () => {
  it('lets a function have 70 lines, a file 400, a line 110 characters', () => {
    expect(tooLong(parse('a.ts', `function f() {\n${lines(68)}\n}\n`))).toEqual([]);
    expect(tooLong(parse('a.ts', `${lines(400)}\n`))).toEqual([]);
    expect(tooLong(parse('a.ts', `${'x'.repeat(110)};`.slice(0, 110)))).toEqual([]);
  });

  it.each([
    ['function', `function f() {\n${lines(69)}\n}\n`, 'f has 71 lines (limit 70)'],
    ['function', `class A {\n  m() {\n${lines(69)}\n  }\n}\n`, 'm has 71 lines (limit 70)'],
    ['function', `const arrow = () => {\n${lines(69)}\n};\n`, 'arrow has 71 lines (limit 70)'],
    ['file', `${lines(401)}\n`, 'the file has 401 lines (limit 400)'],
    ['line', 'x'.repeat(111), '111 characters (limit 110)'],
  ])('finds a %s that is too long', (rule, text, what) => {
    expect(tooLong(parse('a.ts', text))).toMatchObject([{ path: 'a.ts', rule, what }]);
  });

  it('counts the tests of a describe, not the describe', () => {
    expect(tooLong(parse('a.spec.ts', `describe('x', () => {\n${lines(100)}\n});\n`))).toEqual([]);
    expect(tooLong(parse('a.spec.ts', `it('x', () => {\n${lines(100)}\n});\n`))).toHaveLength(1);
  });

  it('honours an exception, and reports one without a reason or without a need', () => {
    const found = tooLong(parse('a.ts', `${lines(401)}\n`));
    expect(withExceptions(found, [{ path: 'a.ts', rule: 'file', reason: 'one table' }])).toEqual([]);
    expect(withExceptions(found, [{ path: 'a.ts', rule: 'file', reason: ' ' }])).toHaveLength(1);
    expect(withExceptions([], [{ path: 'a.ts', rule: 'file', reason: 'one table' }])).toHaveLength(1);
  });
});

const peer = (range) =>
  project('libs/eventing', 'lib:eventing', {
    peerDependencies: { typeorm: range },
    devDependencies: { typeorm: '1.1.1' },
  });

describe('boundaries', () => {
  const exported = { exports: { '.': './dist/index.js' } };
  const platform = project('libs/platform', 'lib:platform', exported);
  const eventing = project('libs/eventing', 'lib:eventing', {
    ...exported,
    dependencies: { '@aura/platform': '*', pg: '8' },
    devDependencies: { '@aura/testing': '*' },
  });
  const testing = project('libs/testing', 'lib:testing', exported);
  const gateway = project('apps/gateway', 'app', { dependencies: { '@aura/eventing': '*', kafkajs: '2' } });
  const projects = [platform, eventing, testing, gateway];
  const look = (owner, file, text) => {
    const path = `${owner.path}/src/${file}`;
    const imports = importsOf(parse(path, text));
    return wrongImports({
      path,
      imports,
      project: owner,
      projects,
      rootDevDependencies: new Set(['vitest', '@types/express']),
    });
  };

  it('lets a project import what stands left of it, and specs import @aura/testing', () => {
    expect(look(eventing, 'a.ts', `import { x } from '@aura/platform';\nimport pg from 'pg';`)).toEqual([]);
    expect(look(eventing, 'a.spec.ts', `import { it } from 'vitest';\nimport '@aura/testing';`)).toEqual([]);
    expect(look(gateway, 'a.ts', `import { x } from '@aura/eventing';\nimport fs from 'node:fs';`)).toEqual(
      [],
    );
    expect(look(eventing, 'a.ts', `import type { Request } from 'express';`)).toEqual([]);
  });

  it.each([
    ['W1', platform, 'a.ts', `import '@aura/eventing';`, 'lib:platform may not import lib:eventing'],
    ['W1', eventing, 'a.ts', `await import('@aura/gateway');`, 'lib:eventing may not import app'],
    ['W2', eventing, 'a.ts', `import '@aura/testing';`, 'only specs import @aura/testing'],
    ['W3', eventing, 'a.ts', `export * from 'rxjs';`, 'rxjs is not declared in libs/eventing/package.json'],
    ['W3', eventing, 'a.ts', `import 'vitest';`, 'vitest is not declared in libs/eventing/package.json'],
    [
      'W4',
      gateway,
      'a.ts',
      `import '@aura/eventing/dist/x.js';`,
      '@aura/eventing/dist/x.js reaches into libs/eventing',
    ],
    [
      'W4',
      eventing,
      'a.ts',
      `import '../../platform/src/sql.js';`,
      '../../platform/src/sql.js leaves libs/eventing',
    ],
    ['W5', gateway, 'a.ts', `import 'kafkajs';`, 'an app imports kafkajs'],
  ])('%s: finds what breaks it, with its line', (_rule, owner, file, text, what) => {
    const found = look(owner, file, `// a line\n${text}`);
    expect(found.map((each) => each.what)).toContain(what);
    expect(found[0].line).toBe(2);
  });

  it('W7: finds a package in two versions', () => {
    const other = project('apps/other', 'app', { dependencies: { pg: '9' } });
    expect(severalVersions([eventing, other])).toMatchObject([{ path: 'apps/other/package.json' }]);
  });

  it('W3, W7: a peer may be imported, at the version that the tests have', () => {
    expect(look(peer('^1.1.1'), 'a.ts', `import 'typeorm';`)).toEqual([]);
    expect(strangePeers(peer('^1.1.1'))).toEqual([]);
    expect(strangePeers(peer('^1.0.0'))).toMatchObject([
      { what: expect.stringContaining('typeorm is a peer at ^1.0.0') },
    ]);
  });
});

describe('purity', () => {
  it('lets a pure file compute, and import pure files and types', () => {
    const text = `import { p } from './pure.js';\nimport type { Client } from 'pg';
      import { createHash } from 'node:crypto';\nimport { Retry } from '@aura/platform';
      export const at = (time: Date) => new Date(time.getTime() + p);
      export const o = { process: 1 };\nexport const q = o.process;`;
    expect(impure(text)).toEqual([]);
  });

  it.each([
    [`import { readFile } from 'node:fs';`, 'imports node:fs'],
    [`import { Client } from 'pg';`, 'imports pg'],
    [`import { Injectable } from '@nestjs/common';`, 'imports @nestjs/common'],
    [`import { x } from './store.js';`, 'imports ./store.js, which is not pure'],
    [`import { randomUUID } from 'node:crypto';`, 'uses randomUUID of node:crypto'],
    [`export const now = () => Date.now();`, 'uses Date.now'],
    [`export const now = () => new Date();`, 'uses new Date()'],
    [`export const dice = () => Math.random();`, 'uses Math.random'],
    [`export const later = (f: () => void) => setTimeout(f, 1);`, 'uses setTimeout'],
    [`export const env = () => process.env;`, 'uses process'],
  ])('finds %s', (text, what) => {
    expect(impure(text)).toContain(what);
  });
});

describe('docs', () => {
  const page = '| package | used by | why |\n| --- | --- | --- |\n| `pg` | libs | the driver |\n';

  it('finds a dependency without a row, and a row without a dependency', () => {
    expect(dependencyRows(page, new Map([['pg', 'libs/x/package.json']]))).toEqual([]);
    expect(dependencyRows(page, new Map([['avsc', 'libs/x/package.json']]))).toMatchObject([
      { path: 'libs/x/package.json', what: 'avsc is not explained' },
      { path: 'docs/dependencies.md', line: 3, what: 'pg is no dependency' },
    ]);
  });
});
