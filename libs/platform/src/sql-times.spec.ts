import { types } from 'pg';
import { expect, it } from 'vitest';
import { readers, timeFrom } from './sql-times.js';

const usual = types.getTypeParser(1184, 'text') as (text: string) => unknown;

it.each([
  '2026-11-28 06:04:27+00',
  '2026-11-28 06:04:27.5+00',
  '2026-11-28 06:04:27.04+00',
  '2026-11-28 06:04:27.123+00',
  '2026-11-28 06:04:27.123456+00',
  '1999-12-31 23:59:59.999999+00',
  '2024-02-29 00:00:00+00',
  '1969-07-20 20:17:40+00',
  '2026-11-28 06:04:27.5+05:30',
  '2026-11-28 06:04:27-03',
  '12026-11-28 06:04:27+00',
  '0044-03-15 12:00:00+00 BC',
  '0099-03-15 12:00:00+00',
  'infinity',
  '-infinity',
])('reads %s as pg does', (text) => {
  expect(timeFrom(text)).toEqual(usual(text));
});

it('reads every millisecond as it is written', () => {
  const base = Date.UTC(2026, 10, 28, 6, 4, 27);
  for (let ms = 0; ms < 1_000; ms++)
    expect(timeFrom(`2026-11-28 06:04:27.${String(ms).padStart(3, '0')}+00`).getTime()).toBe(base + ms);
});

it('leaves all other types to pg', () => {
  expect(readers.getTypeParser(1184, 'text')).toBe(timeFrom);
  expect(readers.getTypeParser(20, 'text')).toBe(types.getTypeParser(20, 'text'));
  expect(readers.getTypeParser(1184, 'binary')).toBe(types.getTypeParser(1184, 'binary'));
});
