// The command line as a person has it, against a service in a process of its own: tools/cli.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { settled } from '@aura/testing';
import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bundle, bundleMain } from './bundle.js';
import { ask, jsonBody } from './service.js';
import { SECRET, shopDatabases, type ShopDatabases } from './shop-databases.js';
import { TOPIC } from './shop.js';

const AURA = fileURLToPath(new URL('../../../tools/cli/aura.mjs', import.meta.url));

let bundle: Bundle;
let databases: ShopDatabases;
let sql: Client;
let shop: ChildProcess;
let url: string;
beforeAll(async () => {
  [bundle, databases] = await Promise.all([bundleMain('shop-main.ts'), shopDatabases()]);
  sql = await databases.database.client();
  shop = spawn(process.execPath, ['--import', bundle.register, bundle.main], {
    env: { PATH: process.env['PATH'], ...databases.environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let lines = '';
  shop.stdout?.on('data', (chunk: Buffer) => (lines += chunk.toString()));
  url = await settled('started', () => {
    const line = lines.split('\n').find((text) => text.includes('"message":"started"'));
    return line && (JSON.parse(line) as { url: string }).url;
  });
  await settled('ready', async () => (await ask(`${url}/health/ready`)).status === 200);
});
afterAll(async () => {
  if (shop?.exitCode === null) {
    shop.kill('SIGTERM');
    await once(shop, 'exit');
  }
  await databases?.drop();
  await bundle?.remove();
});

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** `npm run aura -- WORDS`, without npm. */
async function aura(
  words: readonly string[],
  environment: Record<string, string> = {},
  meanwhile: (child: ChildProcess) => Promise<void> = () => Promise.resolve(),
): Promise<Ended> {
  const child = spawn(process.execPath, [AURA, ...words], {
    env: {
      PATH: process.env['PATH'],
      AURA_HOME: '/nowhere',
      AURA_SERVICES: `shop=${url}`,
      AURA_SERVICE_TOKEN_SECRET: SECRET,
      AURA_OPERATOR: 'anna',
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [out, err] = [{ text: '' }, { text: '' }];
  child.stdout.on('data', (chunk: Buffer) => (out.text += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err.text += chunk.toString()));
  const closed = once(child, 'close') as Promise<[number | null]>;
  await meanwhile(child);
  const [code] = await closed;
  return { code, out: out.text, err: err.text };
}

/** What a script reads. */
async function json(words: readonly string[]): Promise<Record<string, never>> {
  const { code, out, err } = await aura([...words, '--json']);
  if (code !== 0) throw new Error(`aura ${words.join(' ')} ended with ${code}: ${err}`);
  return JSON.parse(out) as Record<string, never>;
}

async function place(order: string, ...numbers: number[]): Promise<void> {
  for (const n of numbers)
    await ask(`${url}/orders`, { method: 'POST', ...jsonBody({ order, n }) }).then(({ status }) =>
      expect(status).toBe(202),
    );
}

/** So many orders of `key` are parked, in order. */
async function refused(key: string, count: number): Promise<void> {
  await sql.query('insert into broken values ($1)', [key]);
  await place(key, ...Array.from({ length: count }, (_, at) => at + 1));
  const letters = 'select from aura.letter where key = $1';
  await settled('parked', async () => (await sql.query(letters, [key])).rowCount === count);
}

interface Job {
  readonly id: string;
  readonly state: string;
}
/** Newest first. */
async function replays(): Promise<readonly Job[]> {
  const { services } = (await json(['replay', 'list'])) as unknown as { services: [{ jobs: Job[] }] };
  return services[0].jobs;
}

const mend = (key: string): Promise<unknown> => sql.query('delete from broken where key = $1', [key]);
async function placed(key: string, count: number): Promise<number[]> {
  const rows = async (): Promise<{ n: number }[]> =>
    (await sql.query('select n from placed where key = $1 order by id', [key])).rows as { n: number }[];
  await settled('placed', async () => (await rows()).length >= count);
  return (await rows()).map(({ n }) => n);
}

const codes = async (...words: string[]): Promise<number | null> => (await aura(words)).code;
const key = (name: string): string[] => ['--topic', TOPIC, '--key', name];
const why = ['--reason', 'the shelf was mended'];

const buy = async (): Promise<string> => {
  const answer = await ask(`${url}/purchases`, { method: 'POST', ...jsonBody({ size: 'M' }) });
  return answer.json['id'] as string;
};

describe('dead letters at the command line', () => {
  it('are listed, shown, redriven after the fix, in order', async () => {
    await refused('nr 1', 3);
    const list = await aura(['dead-letters', 'list']);
    expect([list.code, list.err]).toEqual([0, '']);
    expect(list.out).toMatch(/shop .*shop\.events .*nr 1 .*dead .*2 .*TerminalError: order nr 1 is refused/s);
    const show = await aura(['dead-letters', 'show', ...key('nr 1')]);
    expect(show.out).toContain('waits behind the one above');
    expect(show.out).toContain('OrderHandler');
    await mend('nr 1');
    const dry = await aura(['dead-letters', 'redrive', ...key('nr 1'), '--dry-run']);
    expect(dry.out).toContain('Dry run: 3 letters of 1 key would be tried again. Nothing was changed.');
    const redrive = await aura(['dead-letters', 'redrive', ...key('nr 1'), ...why]);
    expect([redrive.code, redrive.out]).toEqual([
      0,
      'Trying again: 3 letters of 1 key, in the background.\n',
    ]);
    expect(await placed('nr 1', 3)).toEqual([1, 2, 3]);
    const noted = await sql.query('select reason, by from aura.operation');
    expect(noted.rows).toEqual([{ reason: 'the shelf was mended', by: 'anna' }]);
  });

  it('are discarded one by one', async () => {
    await refused('order-2', 2);
    const { letters } = await json(['dead-letters', 'show', ...key('order-2')]);
    const [{ eventId }] = letters as unknown as [{ eventId: string }];
    await mend('order-2');
    const gone = await aura(['dead-letters', 'discard', ...key('order-2'), '--event', eventId, ...why]);
    expect([gone.code, gone.out]).toEqual([0, `Given up for good: event ${eventId} of order-2.\n`]);
    expect(await placed('order-2', 1)).toEqual([2]);
    const again = await aura(['dead-letters', 'discard', ...key('order-2'), '--event', eventId, ...why]);
    expect([again.code, again.out]).toEqual([1, '']);
    expect(again.err).toContain('answered 422: no letter of event');
  });
});

describe('a replay at the command line', () => {
  it('counts first, is followed to its end, and changes nothing that was applied (E7)', async () => {
    await place('replayed', 1, 2, 3);
    await placed('replayed', 3);
    const replay = ['replay', 'outbox', '--key', 'replayed'];
    const dry = await json([...replay, '--dry-run']);
    expect(dry).toMatchObject({ service: 'shop', dryRun: true, count: { records: 3, notPublished: 0 } });
    expect(await json(['replay', 'list'])).toMatchObject({ services: [{ jobs: [] }] });
    const run = await aura([...replay, ...why]);
    expect([run.code, run.err]).toEqual([0, expect.stringMatching(/✔ replay \S+ is done: 3 of 3/)]);
    const jobs = await replays();
    expect(jobs).toEqual([expect.objectContaining({ state: 'done', published: 3, by: 'anna' })]);
    expect((await aura(['replay', 'show', jobs[0]?.id ?? ''])).out).toContain('3 of 3');
    expect((await aura(['replay', 'cancel', jobs[0]?.id ?? '', ...why])).err).toContain('answered 409');
    expect(await placed('replayed', 3)).toEqual([1, 2, 3]);
  });

  it('goes on after Ctrl-C, which says how to follow and to cancel it', async () => {
    await place('slow', 1, 2, 3, 4, 5);
    await placed('slow', 5);
    const slowly = ['replay', 'outbox', '--key', 'slow', '--per-second', '1', ...why];
    const { code, err } = await aura(slowly, {}, async (child) => {
      await settled('it runs', async () => (await replays()).some(({ state }) => state === 'running'));
      child.kill('SIGINT');
    });
    const { id, state } = (await replays())[0] as { id: string; state: string };
    expect([code, state]).toEqual([0, 'running']);
    expect(err).toContain(`Follow it: npm run aura -- replay follow ${id} --service shop`);
    expect(err).toContain(`Cancel it: npm run aura -- replay cancel ${id} --service shop`);
    const cancel = await aura(['replay', 'cancel', id, '--reason', 'it was a test']);
    expect([cancel.code, cancel.out]).toEqual([0, `Replay ${id}: cancelled.\n`]);
  });
});

describe('a group at the command line', () => {
  it('is paused for all and goes on, with the reason in sight', async () => {
    expect((await aura(['groups', 'pause', '--reason', 'a bad deploy'])).out).toBe('shop is paused.\n');
    const { out } = await aura(['groups', 'list']);
    expect(out).toMatch(/shop is paused since .* by anna: a bad deploy/);
    const doctor = await aura(['doctor']);
    expect([doctor.code, doctor.out]).toEqual([
      3,
      expect.stringMatching(/^alarm {4}shop: group-paused: shop$/m),
    ]);
    await settled('not ready', async () => {
      const { status, json: problem } = await ask(`${url}/health/ready`);
      return (
        status === 503 && problem.detail?.includes('by anna: a bad deploy; `npm run aura -- groups resume`')
      );
    });
    await place('paused', 1);
    expect((await aura(['groups', 'resume', ...why])).out).toBe('shop is resumed.\n');
    expect(await placed('paused', 1)).toEqual([1]);
  });

  it('is moved back: dry first; what was applied is not applied again (E7)', async () => {
    await place('moved', 1, 2);
    await placed('moved', 2);
    const move = ['groups', 'move', '--topic', TOPIC, '--to', 'first'];
    const { moves } = (await json([...move, '--dry-run'])) as unknown as { moves: { target: string }[] };
    expect(moves.map(({ target }) => target)).toEqual(['0', '0', '0', '0']);
    const { code, out } = await aura([...move, ...why]);
    expect([code, out]).toEqual([0, expect.stringContaining('Moved: 4 partitions.')]);
    await place('moved', 3);
    expect(await placed('moved', 3)).toEqual([1, 2, 3]);
  });
});

describe('sagas at the command line', () => {
  it('are listed and shown, with what is possible', async () => {
    const id = await buy();
    const list = await aura(['sagas', 'list', '--type', 'buy-shoes', '--limit', '1']);
    expect([list.code, list.out]).toEqual([0, expect.stringMatching(/shop .*buy-shoes v1 .*PREPARING/)]);
    expect((await aura(['sagas', 'list', '--attention'])).out).toBe('No such saga was started.\n');
    expect((await aura(['sagas', 'list', '--older-than', '1h'])).out).toBe('No such saga was started.\n');
    const { out } = await aura(['sagas', 'show', id]);
    expect(out).toMatch(/stock\.StockHold .*reservable .*ASKED/);
    expect(out).toContain('Possible now: abort, force-cancel.');
    expect(out).toContain('asked stock');
  });

  it('are acted on, dry first; what is not possible is said with what is', async () => {
    const id = await buy();
    const forced = await aura(['sagas', 'force-commit', id, ...why]);
    expect([forced.code, forced.err]).toEqual([1, expect.stringContaining('Possible is: abort')]);
    const dry = await aura(['sagas', 'abort', id, '--dry-run']);
    expect(dry.out).toContain(`Dry run: saga ${id} would be ABORTING. Nothing was changed.`);
    const done = await aura(['sagas', 'abort', id, '--reason', 'the buyer called']);
    expect([done.code, done.out]).toEqual([0, expect.stringContaining(`Saga ${id} is ABORTING now.`)]);
    const resolve = ['sagas', 'resolve', id, '--branch', 'stock', '--as', 'cancelled'];
    expect(await json([...resolve, '--reason', 'the warehouse is closed'])).toMatchObject({
      service: 'shop',
      dryRun: false,
      saga: { phase: 'ABORTED', branches: [{ state: 'CANCELLED' }] },
    });
    expect((await aura(['sagas', 'show', id])).out).toContain(
      'operator resolve (anna: the warehouse is closed)',
    );
  });
});

describe('what a script sees', () => {
  it('one document on the standard output, whatever is asked', async () => {
    for (const words of [
      ['dead-letters', 'list'],
      ['groups', 'list'],
      ['relay', 'status'],
      ['replay', 'list'],
      ['sagas', 'list'],
    ])
      expect(await json(words)).toEqual({
        services: [expect.objectContaining({ service: 'shop', ok: true })],
      });
    expect(await json(['topics', 'apply', '--partitions', '4', '--dry-run'])).toEqual({
      service: 'shop',
      dryRun: true,
      topics: [{ name: TOPIC, action: 'nothing', words: 'as it should be' }],
    });
  });

  it('no colour and no bar where nobody looks', async () => {
    // oxlint-disable-next-line no-control-regex
    expect((await aura(['groups', 'list'], { FORCE_COLOR: '' })).out).not.toMatch(/\u001B/);
  });

  it('an exit code that says whether it failed, was misused, or found an alarm', async () => {
    expect(await codes('doctor', '--help')).toBe(0);
    expect(await codes('doctr')).toBe(2);
    expect(await codes('groups', 'pause')).toBe(2);
    expect(await codes('replay', 'show', '0193e6a5-0000-7000-8000-000000000000')).toBe(1);
  });
});

describe('what keeps the command line from a service', () => {
  it('a wrong key: one sentence, and the exit code 1', async () => {
    const { code, out, err } = await aura(['doctor'], { AURA_SERVICE_TOKEN_SECRET: 'x'.repeat(32) });
    expect([code, out]).toEqual([1, 'No service answered.\n']);
    expect(err).toContain('answered 401: The token is signed with another key.');
  });

  it('a service that is down: it is named, and the others are shown', async () => {
    const services = { AURA_SERVICES: `shop=${url},stock=http://127.0.0.1:2` };
    const { code, out, err } = await aura(['groups', 'list', '--service', 'all'], services);
    expect([code, err]).toEqual([
      1,
      "✖ stock (http://127.0.0.1:2) can't be reached (ECONNREFUSED): is it running?\n",
    ]);
    expect(out).toContain(TOPIC);
  });

  it('a service by its address alone is asked who it is', async () => {
    const { code, out } = await aura(['groups', 'list', '--url', url], { AURA_SERVICES: '' });
    expect([code, out]).toEqual([0, expect.stringContaining(TOPIC)]);
  });

  it('a silent one: the time is bounded', async () => {
    const { createServer } = await import('node:net');
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as { port: number };
    const words = ['groups', 'list', '--url', `http://127.0.0.1:${port}`, '--timeout', '0.2'];
    const { code, err } = await aura(words);
    expect([code, err]).toEqual([1, expect.stringContaining('did not answer within 200 ms')]);
    silent.close();
  });
});
