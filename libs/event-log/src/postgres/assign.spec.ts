import { describe, expect, it } from 'vitest';
import { seeded } from '@aura/testing';
import { assign } from './assign.js';

const partitions = (topic: string, count: number): { topic: string; partition: number }[] =>
  Array.from({ length: count }, (_, partition) => ({ topic, partition }));
const member = (id: string, ...topics: string[]): { id: string; topics: string[] } => ({ id, topics });

describe('assign', () => {
  it('goes round the members in the order of partitions', () => {
    const targets = assign([member('b', 't'), member('a', 't')], partitions('t', 5));
    expect(targets.map((t) => t.member)).toEqual(['a', 'b', 'a', 'b', 'a']);
  });

  it('passes over members that do not subscribe; what nobody subscribes to has no member', () => {
    const targets = assign(
      [member('a', 't', 'u'), member('b', 'u')],
      [...partitions('u', 3), ...partitions('t', 2), ...partitions('v', 1)],
    );
    expect(targets.map((t) => [t.topic, t.partition, t.member])).toEqual([
      ['t', 0, 'a'],
      ['t', 1, 'a'],
      ['u', 0, 'b'],
      ['u', 1, 'a'],
      ['u', 2, 'b'],
      ['v', 0, undefined],
    ]);
  });

  it('numbers, not names, order partitions', () => {
    expect(assign([], partitions('t', 11).toReversed()).map((t) => t.partition)).toEqual(
      Array.from({ length: 11 }, (_, i) => i),
    );
  });

  it('whoever computes it, in whatever order it reads, gets the same fair shares', () => {
    const random = seeded('assign');
    for (let round = 0; round < 200; round++) {
      const members = Array.from({ length: 1 + random.int(6) }, (_, i) => member(`m${i}`, 't', 'u'));
      const all = [...partitions('t', random.int(9)), ...partitions('u', random.int(9))];
      const targets = assign(members, all);
      expect(assign(random.shuffle(members), random.shuffle(all))).toEqual(targets);
      const shares = members.map((m) => targets.filter((t) => t.member === m.id).length);
      expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1);
    }
  });
});
