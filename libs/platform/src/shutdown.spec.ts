import { expect, it } from 'vitest';
import { Shutdown } from './shutdown.js';

it('stops stage after stage, whatever the order of adding, and once', async () => {
  const stopped: string[] = [];
  const shutdown = new Shutdown(() => undefined);
  for (const stage of ['pools', 'http', 'relay', 'consumers'] as const)
    shutdown.add(stage, stage, async () => stopped.push(stage));
  await Promise.all([shutdown.stop(), shutdown.stop()]);
  expect(stopped).toEqual(['http', 'consumers', 'relay', 'pools']);
});

it('reports a part that fails and one that hangs, and stops the others', async () => {
  const problems: string[] = [];
  const stopped: string[] = [];
  const shutdown = new Shutdown((part) => problems.push(part), 20);
  shutdown.add('http', 'broken', () => Promise.reject(new Error('no')));
  shutdown.add('work', 'hanging', () => new Promise(() => undefined));
  shutdown.add('pools', 'pool', async () => stopped.push('pool'));
  await shutdown.stop();
  expect(problems).toEqual(['broken', 'hanging']);
  expect(stopped).toEqual(['pool']);
});
