import { describe, expect, it } from 'vitest';
import { examine, type FindingSource } from './doctor.js';
import type { Finding } from './operations.js';
import { shellWord } from './shell-word.js';

const finding = (code: string, severity: Finding['severity']): Finding => ({
  code,
  severity,
  subject: 'orders',
  words: 'something',
  command: undefined,
});
const source = (name: string, ...found: Finding[]): FindingSource => ({
  name,
  findings: () => Promise.resolve(found),
});

describe('the doctor', () => {
  it('gives alarms first, in the order of its parts otherwise', async () => {
    const found = await examine([
      source('a', finding('a1', 'note'), finding('a2', 'alarm')),
      source('b', finding('b1', 'warning'), finding('b2', 'alarm')),
    ]);
    expect(found.map(({ code }) => code)).toEqual(['a2', 'b2', 'b1', 'a1']);
  });

  it('a part that fails, or says nothing in time, is a finding itself and hides no other', async () => {
    const found = await examine(
      [
        { name: 'the broken one', findings: () => Promise.reject(new Error('no route')) },
        { name: 'the silent one', findings: () => new Promise(() => undefined) },
        source('the third', finding('c', 'alarm')),
      ],
      20,
    );
    expect(found.map(({ code, subject }) => [code, subject])).toEqual([
      ['c', 'orders'],
      ['not-examined', 'the broken one'],
      ['not-examined', 'the silent one'],
    ]);
    expect(found[1]?.words).toContain('no route');
    expect(found[2]?.words).toContain('no answer within 20 ms');
  });
});

describe('a word of a command', () => {
  it.each([
    ['order-17', 'order-17'],
    ['a b', "'a b'"],
    ["o'clock", `'o'\\''clock'`],
    ['$(reboot)', "'$(reboot)'"],
    ['', "''"],
  ])('%j is typed as %s', (text, word) => {
    expect(shellWord(text)).toBe(word);
  });
});
