import { expect, it } from 'vitest';
import { Loop, type Next } from './loop.js';

/** A loop whose rounds are ended by hand. */
function manual(idleMs = 60_000) {
  const rounds: { end: (next: Next) => void; fail: (error: Error) => void }[] = [];
  const errors: [unknown, number][] = [];
  const waiting: (() => void)[] = [];
  const loop = new Loop({
    name: 'test',
    idleMs,
    round: () =>
      new Promise<Next>((end, fail) => {
        rounds.push({ end, fail });
        waiting.splice(0).forEach((resolve) => resolve());
      }),
    onError: (error, failures) => errors.push([error, failures]),
    backoff: { initialMs: 1, maxMs: 2 },
  });
  const roundNumber = async (n: number): Promise<void> => {
    while (rounds.length < n) await new Promise<void>((resolve) => waiting.push(resolve));
  };
  return { loop, rounds, errors, roundNumber };
}

it('runs again at once when a round says so', async () => {
  const { loop, rounds, roundNumber } = manual();
  loop.start();
  await roundNumber(1);
  rounds[0]?.end('again');
  await roundNumber(2);
  rounds[1]?.end('wait');
  await loop.stop();
  expect(rounds).toHaveLength(2);
});

it('does not lose a nudge that comes during a round', async () => {
  const { loop, rounds, roundNumber } = manual();
  loop.start();
  await roundNumber(1);
  loop.nudge();
  rounds[0]?.end('wait');
  await roundNumber(2);
  rounds[1]?.end('wait');
  await loop.stop();
});

it('sleeps until it is nudged', async () => {
  const { loop, rounds, roundNumber } = manual();
  loop.start();
  await roundNumber(1);
  rounds[0]?.end('wait');
  await new Promise((resolve) => setImmediate(resolve));
  expect(rounds).toHaveLength(1);
  loop.nudge();
  await roundNumber(2);
  rounds[1]?.end('wait');
  await loop.stop();
});

it('goes on after an error and counts failures in a row', async () => {
  const { loop, rounds, errors, roundNumber } = manual();
  loop.start();
  await roundNumber(1);
  rounds[0]?.fail(new TypeError('a bug'));
  await roundNumber(2);
  rounds[1]?.fail(new Error('again'));
  await roundNumber(3);
  rounds[2]?.end('again');
  await roundNumber(4);
  rounds[3]?.fail(new Error('first after a good one'));
  await roundNumber(5);
  rounds[4]?.end('wait');
  await loop.stop();
  expect(errors.map(([, failures]) => failures)).toEqual([1, 2, 1]);
});

it('waits for the round under way when it stops, and starts no other', async () => {
  const { loop, rounds, roundNumber } = manual();
  loop.start();
  await roundNumber(1);
  let stopped = false;
  const stop = loop.stop().then(() => (stopped = true));
  await new Promise((resolve) => setImmediate(resolve));
  expect(stopped).toBe(false);
  rounds[0]?.end('again');
  await stop;
  expect(rounds).toHaveLength(1);
});

it('never runs two rounds at once', async () => {
  const { loop, rounds, roundNumber } = manual();
  loop.start();
  await roundNumber(1);
  const byHand = loop.runOnce();
  await new Promise((resolve) => setImmediate(resolve));
  expect(rounds).toHaveLength(1);
  rounds[0]?.end('wait');
  await roundNumber(2);
  rounds[1]?.end('wait');
  await expect(byHand).resolves.toBe('wait');
  await loop.stop();
});
