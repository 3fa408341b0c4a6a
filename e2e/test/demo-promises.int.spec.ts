/**
 * What the demo promises to whoever starts it: its output, its exit codes, what it leaves behind. One
 * folder, run by run.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Demo, type AnalysisView, type Ended, type Summary } from './demo-program.js';

let demo: Demo;
let first: Ended;

beforeAll(async () => {
  demo = new Demo();
  first = await demo.run('--once', '--json');
}, 180_000);

afterAll(() => demo.dispose(), 60_000);

describe.skipIf(process.platform === 'win32')('the demo', { timeout: 180_000 }, () => {
  it('prints one JSON line and nothing else with --once --json, and ends with 0', () => {
    expect(first).toMatchObject({ code: 0, stderr: '' });
    expect(first.stdout.trimEnd().split('\n')).toHaveLength(1);
    const { ok, analysis } = JSON.parse(first.stdout) as Summary;
    expect(ok).toBe(true);
    expect(analysis.steps.map(({ name }) => name)).toEqual(['received', 'analysing', 'done']);
  });

  it('says with the gateway’s words why a text file is no photo, and ends with 1', async () => {
    const file = join(demo.dir, 'letter.jpg');
    writeFileSync(file, 'Dear photo,\n'.repeat(200));
    const ended = await demo.run('--once', '--photo', file);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain(`the gateway refused ${file}: `);
    expect(ended.stderr).toMatch(/JPEG.*PNG.*WebP/);
    expect(ended.stderr).not.toContain('    at ');
    expect(demo.postgres?.running).toBe(false);
  });

  it.each([{ args: [] }, { args: ['--processes'] }])(
    'says that the port it was asked for is taken, and ends with 1 ($args)',
    async ({ args }) => {
      const other = await listening();
      const { port } = other.address() as AddressInfo;
      try {
        const ended = await demo.run('--once', '--port', String(port), ...args);
        expect(ended.code).toBe(1);
        expect(ended.stderr).toContain(`port ${port}`);
        expect(ended.stderr).toContain('taken');
        expect(ended.stderr).not.toContain('    at ');
        expect(demo.postgres?.running).toBe(false);
      } finally {
        other.close();
      }
    },
  );

  it.each([{ args: [] }, { args: ['--processes'] }])(
    'keeps what was there, and leaves nothing running after Ctrl-C ($args)',
    async ({ args }) => {
      const running = demo.start('--json', ...args);
      const { services } = await running.summary();
      const { id } = (JSON.parse(first.stdout) as Summary).analysis;
      const response = await fetch(`${services.gateway}/analyses/${id}`);
      expect(((await response.json()) as AnalysisView).state).toBe('done');

      const family = running.descendants();
      expect(family.length).toBeGreaterThanOrEqual(args.length * 2);
      expect((await running.interrupt()).code).toBe(0);
      expect(family.filter(isAlive)).toEqual([]);
      expect(demo.postgres?.running).toBe(false);
    },
  );

  it('takes its services with it when it is killed', async () => {
    const running = demo.start('--json', '--processes');
    await running.summary();
    const family = running.descendants();
    await running.kill();
    expect(family).not.toEqual([]);
    await expect.poll(() => family.filter(isAlive), { timeout: 60_000 }).toEqual([]);
  });
});

function listening(): Promise<Server> {
  const server = createServer((_request, response) => response.end('somebody else'));
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false; // no such process
  }
}
