import { describe, expect, it } from 'vitest';
import { StaleOwnerError } from '../consumer/offsets.js';
import { GroupPausedError } from '../consumer/group-pause.js';
import { standstillOf } from '../consumer/standstill.js';
import { UnknownTopicError } from '@aura/event-log';
import { groupFindings } from './group-findings.js';
import type { Finding, GroupPartition, GroupState } from './operations.js';

const at = { topic: 'shop.events', partition: 3 };
const flowing: GroupPartition = {
  ...at,
  nextOffset: 5n,
  first: 0n,
  end: 9n,
  owner: 'a',
  released: false,
  stalled: undefined,
  overdue: undefined,
};
const stalledBy = (error: Error): GroupPartition => ({ ...flowing, stalled: standstillOf(error) });
const unasked = (): never => {
  throw new Error('the doctor changes nothing');
};
async function found(partitions: readonly GroupPartition[], paused?: GroupState['paused']) {
  const state = () => Promise.resolve({ group: 'shop', paused, partitions });
  return groupFindings({ state, move: unasked, pause: unasked, resume: unasked }).findings();
}
const pause = { since: new Date(0), reason: 'a bad deploy', by: 'olga' };

describe('findings of a group (its ways to stand still for real: doctor.int.spec.ts)', () => {
  it('a partition that another member took is a note: it comes back by itself', async () => {
    const [finding] = await found([stalledBy(new StaleOwnerError([at]))]);
    expect(finding).toMatchObject<Partial<Finding>>({
      code: 'owner-changed',
      severity: 'note',
      subject: 'shop.events/3',
      command: undefined,
    });
  });

  it('what nobody has a name for is an alarm, and no command pretends to mend it', async () => {
    const [finding] = await found([stalledBy(new Error('a bug'))]);
    expect(finding).toMatchObject({ code: 'partition-stalled', severity: 'alarm', command: undefined });
    expect(finding?.words).toBe('stands still: a bug');
  });

  it.each([
    ['shop.events', 'topics apply --service shop --reason "…"'],
    ['of-others', undefined],
  ])('a topic that is gone is made by the service it is named after: %s', async (topic, command) => {
    const gone = { ...stalledBy(new UnknownTopicError(topic)), topic, first: undefined, end: undefined };
    expect((await found([gone]))[0]).toMatchObject({ code: 'topic-gone', command });
  });

  it('a paused group is one finding, not one of each partition and what waits in it', async () => {
    const overdue = { records: 2n, moving: false, movedAt: new Date(0) };
    const waiting = { ...stalledBy(new GroupPausedError('shop', pause)), overdue };
    const codes = (await found([waiting], { ...pause, byItself: false })).map(({ code }) => code);
    expect(codes).toEqual(['group-paused']);
  });

  it('what waits is one finding of each topic, with all its partitions and owners', async () => {
    const overdue = { records: 2n, moving: false, movedAt: new Date('2026-11-26T22:00:00Z') };
    const late = [
      { ...flowing, overdue },
      {
        ...flowing,
        partition: 4,
        owner: 'b',
        overdue: { ...overdue, movedAt: new Date('2026-11-26T21:00:00Z') },
      },
      { ...flowing, topic: 'stock.events', released: true, overdue },
    ];
    const findings = await found([flowing, ...late]);
    expect(findings.map(({ code, subject }) => [code, subject])).toEqual([
      ['nobody-reads', 'shop.events/3, 4'],
      ['nobody-reads', 'stock.events/3'],
    ]);
    expect(findings[0]?.words).toMatch(/^4 records .* since 2026-11-26T21:00:00.000Z \(owner: a, b\)/);
    expect(findings[1]?.words).toContain('(owner: nobody)');
  });
});
