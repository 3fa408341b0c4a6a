// The benches of sagas as they are called, in their quick form: that they measure and check something, not
// what comes out.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { arch, platform, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { CLONE } from '../start/bootstrap.mjs';
import { runProgram } from '../start/run-program.mjs';
import { folderOf } from './peers/installed.mjs';

const BENCH = fileURLToPath(new URL('bench.mjs', import.meta.url));
const APPS = ['checkout', 'inventory', 'payments', 'delivery'];
const PATIENCE_MS = 300_000;

/** A stale `dist` would prove nothing of the sources. */
beforeAll(async () => {
  const configs = APPS.map((name) => `apps/${name}/tsconfig.lib.json`);
  const args = ['node_modules/typescript7/bin/tsc', '--build', ...configs];
  const { status, output } = await runProgram(process.execPath, args, { cwd: CLONE });
  expect(status, output).toBe(0);
}, PATIENCE_MS);

/** Its result; what it complains about fails the test. */
function bench(args, env = {}) {
  const all = [BENCH, ...args, '--quick', '--json', '--log', 'postgres'];
  const options = { encoding: 'utf8', env: { ...process.env, ...env } };
  const { status, stdout, stderr } = spawnSync(process.execPath, all, options);
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout);
}

it(
  'sagas: no-op branches and the purchase of the real applications, those that are refused as well',
  () => {
    const { rows } = bench(['sagas', '--c', '4,8', '--fail', '0.25']);
    const named = rows.map(({ system, case: what, concurrency }) => `${system}, ${what}, ${concurrency}`);
    expect(named).toEqual([
      'aura, 3 no-op branches, 25 % refused, 4',
      'aura, 3 no-op branches, 25 % refused, 8',
      'aura, the purchase (4 apps), 25 % declined, 4',
      'aura, the purchase (4 apps), 25 % declined, 8',
    ]);
    for (const { perSecond, p50Ms, failed } of rows) {
      expect(failed).toBe(0);
      expect(perSecond).toBeGreaterThan(0);
      expect(p50Ms).toBeGreaterThan(0);
    }
  },
  PATIENCE_MS,
);

describe.skipIf(platform() === 'win32')('a peer that can’t run here', () => {
  let cache;
  beforeEach(() => {
    cache = mkdtempSync(join(tmpdir(), 'aura-bench-spec-'));
    vi.stubEnv('AURA_CACHE_DIR', cache);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(cache, { recursive: true, force: true });
  });

  it(
    'has a row that says why, whether it can’t be fetched or does not start; ours are measured all the same',
    () => {
      const broken = `node_modules/@restatedev/restate-server-${platform()}-${arch()}/bin/restate-server`;
      const binary = join(folderOf('restate'), broken);
      mkdirSync(dirname(binary), { recursive: true });
      writeFileSync(binary, '#!/bin/sh\necho no room >&2\nexit 3\n');
      chmodSync(binary, 0o755);
      const nowhere = {
        npm_config_registry: 'http://127.0.0.1:9',
        npm_config_fetch_retries: '0',
        npm_config_cache: join(cache, 'npm'),
      };
      const { rows } = bench(['sagas', '--case', 'noop', '--c', '4', '--peers'], nowhere);
      expect(rows).toMatchObject([
        { system: 'aura', failed: 0 },
        { system: 'dbos', perSecond: null, failed: 0 },
        { system: 'restate', perSecond: null, failed: 0 },
      ]);
      const [ours, dbos, restate] = rows;
      expect(ours.perSecond).toBeGreaterThan(0);
      expect(dbos.notRun).toMatch(/^npm could not install @dbos-inc\/dbos-sdk@[\d.]+: .*ECONNREFUSED/);
      expect(restate.notRun).toMatch(/^Restate's server does not come up: it ended with 3: no room/);
      expect(readdirSync(join(cache, 'aura'))).toEqual([folderOf('restate').split('/').at(-1)]);
    },
    PATIENCE_MS,
  );
});

it(
  'sagas-curve: history that was driven and history that was written are both counted',
  () => {
    const { rows } = bench(['sagas-curve', '--to', '3000', '--driven', '1000', '--c', '32']);
    expect(rows).toMatchObject([
      { case: '1,000 sagas', writtenBySql: 0, failed: 0, timesFirst: { CPU: 1, RSS: 1, p50: 1 } },
      { case: '3,000 sagas', writtenBySql: 1_000, failed: 0 },
    ]);
    const [first, last] = rows;
    expect(Object.keys(last.rssMiB)).toEqual(['shop', 'stock', 'payment', 'delivery']);
    expect(last.cpuMsPerSaga).toBeGreaterThan(0);
    for (const table of ['aura.outbox', 'aura.saga', 'aura.branch'])
      expect(last.tables[table], table).toBeGreaterThan(1.5 * first.tables[table]);
  },
  PATIENCE_MS,
);

it(
  'sagas-sampling: what is exported is counted where it arrives, and costs are those of the same round',
  () => {
    const { rows } = bench(['sagas-sampling', '--trace-ratio', '0,1', '--c', '16']);
    expect(rows).toMatchObject([
      { case: 'tracing 0 %', spansPerSaga: 0, failed: 0 },
      { case: 'tracing 100 %', failed: 0 },
    ]);
    const [none, full] = rows;
    expect(full.spansPerSaga).toBeGreaterThan(5);
    expect(full.costPercent).toBeCloseTo(100 * (1 - full.perSecond / none.perSecond), 0);
  },
  PATIENCE_MS,
);
