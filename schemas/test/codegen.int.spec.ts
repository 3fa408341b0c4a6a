import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as contracts from '@aura/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { generate } from '../../tools/codegen/generate.mjs';

const workspace = fileURLToPath(new URL('../..', import.meta.url));

function moved(fields: object[] = [], more: object = {}) {
  return {
    type: 'record',
    name: 'Moved',
    namespace: 'stock_keeping',
    doc: 'It moved.',
    'aura.key': 'id',
    fields: [{ name: 'id', type: { type: 'string', logicalType: 'uuid' } }, ...fields],
    ...more,
  };
}
const withDefault = { name: 'count', type: 'int', default: 0 };

describe('codegen', () => {
  let folder: string;
  beforeEach(() => {
    folder = join(mkdtempSync(join(tmpdir(), 'aura-codegen-')), 'schemas');
    mkdirSync(folder);
  });
  afterEach(() => rmSync(dirname(folder), { recursive: true }));

  function write(file: string, content: object | string): void {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), typeof content === 'string' ? content : JSON.stringify(content));
  }
  /** The problems, one a line; empty: it went well. */
  async function run(mode: 'write' | 'check' | 'release' = 'write'): Promise<string> {
    return (await generate({ folder, mode, contracts })).problems.join('\n');
  }
  const generated = (): string => readFileSync(join(folder, 'src/generated/stock-keeping.ts'), 'utf8');

  it('the repository itself is fresh', async () => {
    const own = join(workspace, 'schemas');
    expect(await generate({ folder: own, mode: 'check', contracts })).toMatchObject({ problems: [] });
  });

  it('writes the token and types of the newest revision, and then finds them fresh', async () => {
    write('stock-keeping/Moved.v1.avsc', moved());
    write('stock-keeping/Moved.v2.avsc', moved([withDefault]));
    expect(await run()).toBe('');
    expect(generated()).toContain('version: 2');
    expect(generated()).toContain('readonly count: number;');
    expect(generated()).toContain('readonly count?: number;');
    expect(generated()).toContain('EventType<Moved, MovedInput>');
    expect(readFileSync(join(folder, 'src/index.ts'), 'utf8')).toContain("'./generated/stock-keeping.js'");
    expect(await run('check')).toBe('');
  });

  it('says which file is stale, and the command that cures it', async () => {
    write('stock-keeping/Moved.v1.avsc', moved());
    await run();
    write('stock-keeping/Moved.v2.avsc', moved([withDefault]));
    const said = await run('check');
    expect(said).toContain(
      'schemas/src/generated/stock-keeping.ts is stale: run npx nx run @aura/schemas:codegen',
    );
  });

  it('an event of any service goes into the lib of sagas, and has no topic of its own', async () => {
    write('aura/Asked.v1.avsc', { ...moved(), name: 'Asked', namespace: 'aura' });
    expect(await run()).toBe('');
    const protocol = readFileSync(join(folder, '../libs/saga/src/generated/protocol.ts'), 'utf8');
    expect(protocol).toContain('export const Asked: SharedEvent<Asked>');
    expect(protocol).not.toContain('service:');
    expect(readFileSync(join(folder, 'src/index.ts'), 'utf8')).not.toContain('export *');
  });

  it('a branch says its kind, its owner, who may ask, and the revisions that it can read', async () => {
    const { 'aura.key': _, ...schema } = moved();
    const branch = { ...schema, 'aura.branch': 'reservable', 'aura.coordinators': ['checkout'] };
    write('stock-keeping/Moved.v1.avsc', branch);
    write('stock-keeping/Moved.v2.avsc', { ...branch, fields: [...branch.fields, withDefault] });
    expect(await run()).toBe('');
    expect(generated()).toContain('BranchType<Moved, MovedInput>');
    expect(generated()).toMatch(/earlier: \[\s*\{/);
  });

  it.each([
    ['an unknown kind', { 'aura.branch': 'maybe' }, 'is "maybe", not one of reservable'],
    ['nobody who may ask', { 'aura.coordinators': [] }, '"aura.coordinators" is missing'],
    ['a key', { 'aura.key': 'id' }, 'a branch has no "aura.key"'],
  ])('a branch with %s is refused', async (_, wrong, said) => {
    const { 'aura.key': _key, ...schema } = moved();
    const branch = { ...schema, 'aura.branch': 'pivot', 'aura.coordinators': ['checkout'], ...wrong };
    write('stock-keeping/Moved.v1.avsc', branch);
    expect(await run()).toContain(said);
  });

  it('takes away what no schema asks for any more', async () => {
    write('stock-keeping/Moved.v1.avsc', moved());
    await run();
    write('src/generated/gone.ts', 'export {};');
    expect(await run('check')).toContain('schemas/src/generated/gone.ts is stale');
    await run();
    expect(await run('check')).toBe('');
  });

  it.each([
    ['lower case', 'stock-keeping/moved.v1.avsc', moved(), 'is named <Event>.v<N>.avsc'],
    [
      'another name',
      'stock-keeping/Moved.v1.avsc',
      moved([], { name: 'Went' }),
      'name is "Went", the file says Moved',
    ],
    [
      'another namespace',
      'stock-keeping/Moved.v1.avsc',
      moved([], { namespace: 'x' }),
      'namespace is "x", the folder asks for "stock_keeping"',
    ],
    ['no doc', 'stock-keeping/Moved.v1.avsc', moved([], { doc: ' ' }), 'doc is missing'],
    ['no key', 'stock-keeping/Moved.v1.avsc', moved([], { 'aura.key': undefined }), '"aura.key" is missing'],
    [
      'a key that is no field',
      'stock-keeping/Moved.v1.avsc',
      moved([], { 'aura.key': 'no' }),
      '"aura.key" names "no", which is no field',
    ],
    [
      'a float as the key',
      'stock-keeping/Moved.v1.avsc',
      moved([{ name: 'f', type: 'double' }], { 'aura.key': 'f' }),
      'field f is the key: it has to be string, long',
    ],
    [
      'a nullable key',
      'stock-keeping/Moved.v1.avsc',
      moved([{ name: 'f', type: ['null', 'string'] }], { 'aura.key': 'f' }),
      'field f is the key',
    ],
    [
      'a key with a default',
      'stock-keeping/Moved.v1.avsc',
      moved([{ name: 'f', type: 'string', default: 'x' }], { 'aura.key': 'f' }),
      'field f is the key: it is required',
    ],
    ['a hole in the revisions', 'stock-keeping/Moved.v2.avsc', moved(), 'v1 is missing'],
    ['no JSON', 'stock-keeping/Moved.v1.avsc', '{', 'Moved.v1.avsc: not JSON'],
    ['an unknown type', 'stock-keeping/Moved.v1.avsc', moved([{ name: 'f', type: 'strng' }]), 'strng'],
    [
      'a decimal without precision',
      'stock-keeping/Moved.v1.avsc',
      moved([{ name: 'f', type: { type: 'bytes', logicalType: 'decimal' } }]),
      'precision',
    ],
  ])('%s is refused', async (_, file, schema, reason) => {
    write(file, schema);
    const said = await run();
    expect(said).toContain(file);
    expect(said).toContain(reason);
  });

  it('a revision that some earlier one does not bear is refused with field and reason', async () => {
    write('stock-keeping/Moved.v1.avsc', moved([{ name: 'v', type: 'int', default: 0 }]));
    write('stock-keeping/Moved.v2.avsc', moved());
    write('stock-keeping/Moved.v3.avsc', moved([{ name: 'v', type: 'string', default: '' }]));
    const said = await run();
    expect(said).toContain(
      "stock-keeping/Moved.v3.avsc: not compatible with v1: v: int can't be read as string",
    );
  });

  it('a released schema stays as it is, and stays; its doc may be better worded', async () => {
    write('stock-keeping/Moved.v1.avsc', moved());
    expect(await run('release')).toBe('');
    write('stock-keeping/Moved.v1.avsc', moved([], { doc: 'Somebody moved it.' }));
    expect(await run()).toBe('');
    write('stock-keeping/Moved.v1.avsc', moved([withDefault]));
    for (const mode of ['write', 'release', 'check'] as const)
      expect(await run(mode)).toContain('released, but changed in place: undo it and add Moved.v2.avsc');
    rmSync(join(folder, 'stock-keeping/Moved.v1.avsc'));
    expect(await run()).toContain('stock-keeping/Moved.v1.avsc: released, but the file is gone');
  });

  it('two services can not own one event name', async () => {
    write('stock-keeping/Moved.v1.avsc', moved());
    write('other/Moved.v1.avsc', moved([], { namespace: 'other' }));
    expect(await run()).toContain('names are unique');
  });

  it('what it generates compiles: every Avro type, unions, defaults, recursion', async () => {
    const nested = { type: 'record', name: 'Box', fields: [{ name: 'w', type: 'int', default: 1 }] };
    write(
      'stock-keeping/Moved.v1.avsc',
      moved([
        { name: 'a', type: 'long' },
        { name: 'b', type: ['null', 'string', 'long', nested, { type: 'map', values: 'Box' }] },
        { name: 'c', type: { type: 'array', items: ['null', 'stock_keeping.Box'] } },
        { name: 'd', type: { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 2 } },
        { name: 'e', type: { type: 'fixed', name: 'Hash', size: 4 } },
        { name: 'f', type: { type: 'enum', name: 'Kind', symbols: ['A', 'B'] }, doc: 'Ends */ badly.' },
        { name: 'g', type: ['null', 'stock_keeping.Moved'], default: null },
        { name: 'h', type: { type: 'long', logicalType: 'timestamp-micros' } },
        { name: 'i', type: { type: 'int', logicalType: 'date' } },
      ]),
    );
    expect(await run()).toBe('');
    const test = join(workspace, 'schemas/out-tsc', 'codegen-spec');
    mkdirSync(test, { recursive: true });
    writeFileSync(join(test, 'moved.ts'), generated());
    writeFileSync(
      join(test, 'use.ts'),
      `import { Moved, type MovedInput } from './moved.js';
const base = { id: '', a: 1n, d: '1.00', e: Buffer.alloc(4), f: 'A', h: 1n, i: '2026-01-01' } as const;
const input: MovedInput = { ...base, b: { 'stock_keeping.Box': {} }, c: [{ w: 2 }, null, {}] };
const nested: MovedInput = { ...base, b: { map: { k: {} } }, c: [], g: { ...base, b: null, c: [] } };
export const ok = [Moved.of(input), Moved.of(nested)];
// @ts-expect-error a long is a bigint
Moved.of({ ...input, a: 1 });
// @ts-expect-error no such symbol
Moved.of({ ...input, f: 'C' });
// @ts-expect-error read, it is always there
export const w = (m: Moved) => (m.c[0] === null ? 0 : (m.c[0]!.w satisfies undefined));
`,
    );
    writeFileSync(
      join(test, 'tsconfig.json'),
      JSON.stringify({
        extends: join(workspace, 'tsconfig.base.json'),
        compilerOptions: {
          composite: false,
          noEmit: true,
          declaration: false,
          declarationMap: false,
          sourceMap: false,
          rootDir: workspace,
        },
        include: ['*.ts'],
      }),
    );
    const tsc = join(workspace, 'node_modules/typescript7/bin/tsc');
    const { stdout } = spawnSync(process.execPath, [tsc, '-p', test], { encoding: 'utf8' });
    rmSync(test, { recursive: true });
    expect(stdout).toBe('');
  });
});
