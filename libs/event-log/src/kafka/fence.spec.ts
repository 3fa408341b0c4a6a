import { describe, expect, it } from 'vitest';
import { Fence } from './fence.js';

const p0 = { topic: 'a.events', partition: 0 };
const p1 = { topic: 'a.events', partition: 1 };

describe('Fence', () => {
  it('H44: refuses what arrives before its partition is placed (F1)', () => {
    const fence = new Fence();
    expect(fence.judge(p0, 0n)).toBe('unplaced');
    fence.place(p0, 50n);
    expect(fence.judge(p0, 50n)).toBe('expected');
    expect(fence.judge(p1, 50n)).toBe('unplaced');
    fence.clear();
    expect(fence.judge(p0, 50n)).toBe('unplaced');
  });

  it('H53: does not follow a fetch that began elsewhere (F2)', () => {
    const fence = new Fence();
    fence.place(p0, 50n);
    expect(fence.judge(p0, 60n)).toBe('elsewhere');
    expect(fence.judge(p0, 0n)).toBe('elsewhere');
  });

  it('goes on after delivery', () => {
    const fence = new Fence();
    fence.place(p0, 50n);
    const version = fence.position(p0)?.version ?? -1;
    expect(fence.advance(p0, 53n, version)).toBe(true);
    expect(fence.judge(p0, 53n)).toBe('expected');
    expect(fence.advance(p0, 55n, version)).toBe(true);
  });

  it('ignores what a unit says about a partition that was placed anew meanwhile', () => {
    const fence = new Fence();
    fence.place(p0, 50n);
    const version = fence.position(p0)?.version ?? -1;
    fence.place(p0, 10n);
    expect(fence.advance(p0, 53n, version)).toBe(false);
    expect(fence.position(p0)?.offset).toBe(10n);
    fence.remove(p0);
    expect(fence.advance(p0, 53n, version)).toBe(false);
  });
});
