/**
 * What the demo promises to whoever starts it: its output, its exit codes, what it leaves behind. One
 * folder, run by run.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Demo, type AnalysisView, type Ended, type PurchaseSummary, type Summary } from './demo-program.js';

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

  it('buys an outfit of things that were there, once, however often it is asked for', () => {
    const { state, settled, lines, totalCents, books, again, id } = purchaseOf(first, 'bought');
    expect({ state, settled }).toEqual({ state: 'bought', settled: true });
    expect(lines.length).toBeGreaterThanOrEqual(2);
    expect(lines.reduce((sum, { priceCents }) => sum + priceCents, 0)).toBe(totalCents);
    expect(again).toMatchObject({ status: 201, id });
    for (const { before, after, quantity } of books.stock) expect(after).toBe(before - quantity);
    expect(books).toMatchObject({
      delivery: 'booked',
      payment: expect.stringMatching(/^c(aptur|ollect)ed$/) as string,
    });
  });

  it('sends it back: in stock as before it was bought, all of its price paid back, its buyer told', () => {
    const { returned } = JSON.parse(first.stdout) as Summary;
    const { totalCents } = purchaseOf(first, 'bought');
    expect(returned).toMatchObject({ ok: true, state: 'returned', settled: true, refundCents: totalCents });
    const { stock, ...others } = returned.books;
    expect(others).toEqual({ payment: 'refunded', pickUp: 'booked', notices: 1 });
    expect(stock.length).toBeGreaterThanOrEqual(2);
    for (const { before, after } of stock) expect(after).toBe(before);
    const steps = returned.steps.map(({ what, state }) => `${what} ${state}`);
    const order = ['return returned', 'refund committed', 'return settled'].map((step) =>
      steps.indexOf(step),
    );
    expect(order).toEqual(order.toSorted((a, b) => a - b));
    expect(order).not.toContain(-1);
  });

  it('shows that a declined card leaves nothing: stock, slot and money are as they were', () => {
    const { state, settled, why, books, again, id } = purchaseOf(first, 'declined');
    expect({ state, settled, why }).toMatchObject({
      state: 'refused',
      settled: true,
      why: { branch: 'payment' },
    });
    expect(again).toMatchObject({ status: 409, id });
    for (const { before, after } of books.stock) expect(after).toBe(before);
    expect(['released', null]).toContain(books.delivery);
    expect(books.payment).toBeNull();
  });

  it('shows its outfits to a person, and leaves out the kill with --no-kill', async () => {
    const { code, stdout: coloured } = await demo.run('--once', '--no-kill');
    const stdout = stripVTControlCharacters(coloured); // in CI there are colours without a terminal
    expect(code).toBe(0);
    // Who looks every 100 ms may see only that it was taken, not that it was held before.
    expect(stdout).toMatch(
      /payment +payments +(prepared +held: [\d.]+ EUR authorised|committed [\d.]+ EUR taken)/,
    );
    expect(stdout).toMatch(/payment +payments +refused /);
    expect(stdout).toMatch(/refund +payments +committed [\d.]+ EUR paid back/);
    expect(stdout).toMatch(/notice +checkout +committed the buyer is told/);
    expect(stdout).toMatch(/purchase +checkout +settled /);
    expect(stdout).toMatch(/total .* \d+\.\d\d EUR/);
    expect(stdout).not.toContain('kill -9');
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
      const running = demo.start('--json', '--no-kill', ...args);
      const { services } = await running.summary();
      const { id } = (JSON.parse(first.stdout) as Summary).analysis;
      const response = await fetch(`${services.gateway}/analyses/${id}`);
      expect(((await response.json()) as AnalysisView).state).toBe('done');

      const family = running.descendants();
      expect(family.length).toBeGreaterThanOrEqual(args.length > 0 ? 6 : 1);
      expect((await running.interrupt()).code).toBe(0);
      expect(family.filter(isAlive)).toEqual([]);
      expect(demo.postgres?.running).toBe(false);
    },
  );

  it('two that start at the same time meet their own services', async () => {
    const demos = [new Demo(), new Demo()];
    try {
      const both = demos.map((one) => one.run('--once', '--json', '--no-kill', '--processes'));
      const ended = await Promise.all(both);
      expect(ended.map(({ code, stderr }) => (code === 0 ? 'went well' : stderr))).toEqual(
        ended.map(() => 'went well'),
      );
      const gateways = ended.map(({ stdout }) => (JSON.parse(stdout) as Summary).services.gateway);
      expect(new Set(gateways).size).toBe(2);
    } finally {
      await Promise.all(demos.map((one) => one.dispose()));
    }
  });

  it('takes its services with it when it is killed', async () => {
    const running = demo.start('--json', '--no-kill', '--processes');
    await running.summary();
    const family = running.descendants();
    await running.kill();
    expect(family).not.toEqual([]);
    await expect.poll(() => family.filter(isAlive), { timeout: 60_000 }).toEqual([]);
  });
});

function purchaseOf({ stdout }: Ended, name: PurchaseSummary['name']): PurchaseSummary {
  const { purchases } = JSON.parse(stdout) as Summary;
  return purchases.find((each) => each.name === name) ?? expect.fail(`no purchase is ${name} in ${stdout}`);
}

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
