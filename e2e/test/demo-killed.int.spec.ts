/**
 * Issue 4, section 6: the demo after `kill -9` in the middle of an analysis. The pixels may be processed
 * twice; one result takes effect.
 */
import { settled } from '@aura/testing';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { rowsOf } from '../src/crash/books.js';
import { Demo, killIfThere, type AnalysisView } from './demo-program.js';

/** The lease of its task (15 s), the session of the member that died (10 s), and a busy machine. */
const PATIENCE = { withinMs: 180_000, everyMs: 20 };
const ATTEMPTS = 10;

let photo: Blob;

beforeAll(async () => {
  const noise = { type: 'gaussian', mean: 128, sigma: 60 } as const;
  const raw = { width: 5_000, height: 5_000, channels: 3, background: 'grey', noise } as const;
  const jpeg = await sharp({ create: raw }).jpeg({ quality: 40 }).toBuffer();
  photo = new Blob([new Uint8Array(jpeg)], { type: 'image/jpeg' });
});

describe.skipIf(process.platform === 'win32')('the demo after kill -9 in the middle of an analysis', () => {
  it.each([
    { how: 'all services in one process', args: [], postgresToo: false },
    { how: 'a process per service, Postgres killed too', args: ['--processes'], postgresToo: true },
  ])(
    'E3 E8: one PhotoAnalysed takes effect ($how)',
    async ({ how, args, postgresToo }) => {
      const demo = new Demo();
      try {
        const id = await killedInTheMiddle(demo, args, postgresToo);
        const startedAt = performance.now();
        const again = demo.start('--json', '--no-kill', ...args);
        const seconds = (): string => ((performance.now() - startedAt) / 1_000).toFixed(1);
        const { gateway } = (await again.summary()).services;
        const up = seconds();
        const analysis = await analysisDone(gateway, id);
        console.log(
          `${how}: done ${seconds()} s after the restart (its own photo and outfits: after ${up} s)`,
        );
        expect(analysis.steps.map(({ name }) => name)).toEqual(['received', 'analysing', 'done']);
        expect(await takenEffect(demo, id)).toEqual({ rows: 1, raised: 1, applied: 1, parked: 0 });
        expect((await again.interrupt()).code).toBe(0);
      } finally {
        await demo.dispose();
      }
    },
    600_000,
  );
});

/** Sends photos until one was killed while its pixels were looked at; gives its id. */
async function killedInTheMiddle(demo: Demo, args: readonly string[], postgresToo: boolean): Promise<string> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const running = demo.start('--json', '--no-kill', ...args);
    const { gateway } = (await running.summary()).services;
    const id = await send(gateway);
    await settled(
      'the analysis has begun',
      async () => (await analysisOf(gateway, id)).state !== 'received',
      PATIENCE,
    );
    await running.killAll();
    const unfinished = await rowsOf(
      demo.databaseUrl('image_analysis'),
      `select 1 from aura.task where key = '${id}'`,
    );
    if (unfinished.length === 1) {
      if (postgresToo) killIfThere(demo.postgres?.pid as number);
      return id;
    }
  }
  throw new Error(`the analysis was quicker than the kill, ${ATTEMPTS} times`);
}

async function send(gateway: string): Promise<string> {
  const form = new FormData();
  form.set('photo', photo, 'large.jpg');
  const response = await fetch(`${gateway}/photos`, { method: 'POST', body: form });
  expect(response.status).toBe(202);
  return ((await response.json()) as { id: string }).id;
}

async function analysisOf(gateway: string, id: string): Promise<AnalysisView> {
  const response = await fetch(`${gateway}/analyses/${id}`);
  expect(response.status).toBe(200);
  return (await response.json()) as AnalysisView;
}

function analysisDone(gateway: string, id: string): Promise<AnalysisView> {
  return settled(
    `analysis ${id} is done`,
    async () => {
      const analysis = await analysisOf(gateway, id);
      return analysis.state === 'done' ? analysis : undefined;
    },
    PATIENCE,
  );
}

/**
 * What came of one photo: its rows, and the events of its result that were raised, applied by the
 * gateway and parked.
 */
async function takenEffect(demo: Demo, id: string): Promise<Record<string, number>> {
  const analysis = demo.databaseUrl('image_analysis');
  const gateway = demo.databaseUrl('gateway');
  const events = await rowsOf<{ event_id: string }>(
    analysis,
    `select event_id from aura.outbox where key = '${id}' and type like '%.PhotoAnalysed'`,
  );
  const ids = events.map(({ event_id }) => `'${event_id}'`).join();
  return {
    rows: await count(analysis, `garment_analysis where photo_id = '${id}'`),
    raised: events.length,
    applied: await count(gateway, `aura.inbox where event_id in (${ids})`),
    parked: (await count(gateway, 'aura.letter')) + (await count(analysis, 'aura.letter')),
  };
}

async function count(url: string, from: string): Promise<number> {
  const [row] = await rowsOf<{ count: number }>(url, `select count(*)::int from ${from}`);
  return row?.count ?? -1;
}
