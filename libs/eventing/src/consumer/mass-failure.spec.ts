import { expect, it } from 'vitest';
import { MassFailure } from './mass-failure.js';

const keys = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, i) => `k${from + i}`);

it('H22: more than the share, and enough of them, is a mass failure', () => {
  const failures = new MassFailure({ share: 0.2, minKeys: 20 });
  failures.seen(keys(0, 100), 0);
  expect(failures.failed(keys(0, 20), 1)).toBeUndefined(); // 20 of 100 is not more than 20 %
  expect(failures.failed(['k20'], 2)).toEqual({ failed: 21, seen: 100 });
});

it('H22: a few keys that fail again and again are few', () => {
  const failures = new MassFailure();
  for (let ms = 0; ms < 1_000; ms++) expect(failures.failed(keys(0, 19), ms)).toBeUndefined();
});

it('H22: what failed longer ago than the window does not count, nor what failed before it was mended', () => {
  const failures = new MassFailure({ windowMs: 60_000 });
  expect(failures.failed(keys(0, 19), 0)).toBeUndefined();
  expect(failures.failed(['late'], 90_001)).toBeUndefined();
  expect(failures.failed(keys(0, 30), 90_002)).toBeDefined();
  failures.forget();
  expect(failures.failed(['after'], 90_003)).toBeUndefined();
});

it('H22: failures spread over two halves of a window are seen together', () => {
  const failures = new MassFailure({ windowMs: 60_000 });
  expect(failures.failed(keys(0, 10), 0)).toBeUndefined();
  expect(failures.failed(keys(10, 20), 31_000)).toEqual({ failed: 20, seen: 20 });
});
