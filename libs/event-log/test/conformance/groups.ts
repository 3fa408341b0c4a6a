import { expect, it } from 'vitest';
import { settled } from '@aura/testing';
import type { LogRecord, Subscription } from '../../src/index.js';
import { keyOf, Positions, type Reader, takeAll } from './reader.js';
import { groupName, numbered, type Suite } from './suite.js';

const times = (records: readonly LogRecord[]): Map<string, number> =>
  new Map([...Map.groupBy(records, (r) => `${keyOf(r)}@${r.offset}`)].map(([id, all]) => [id, all.length]));

const spread = (members: readonly { subscription: Subscription }[], partitions: number) => (): boolean => {
  const held = members.flatMap(({ subscription }) => subscription.assigned().map(keyOf));
  return (
    held.length === partitions &&
    new Set(held).size === partitions &&
    members.every(({ subscription }) => subscription.assigned().length > 0)
  );
};

/** What did not come exactly once, and to which of the members. */
function notOnce(readers: readonly Reader[]): string[] {
  const came = readers.flatMap((reader, member) =>
    reader.records.map((r) => ({ member, id: `${keyOf(r)}@${r.offset}` })),
  );
  return [...Map.groupBy(came, ({ id }) => id)]
    .filter(([, each]) => each.length !== 1)
    .map(([id, each]) => `${id} came to ${each.map(({ member }) => member).join(' and ')}`);
}

const all = (readers: readonly Reader[]): LogRecord[] => readers.flatMap((reader) => reader.records);

export function groups(suite: Suite): void {
  it('L5: members that join and leave share the partitions; every record comes once', async () => {
    const log = suite.open();
    const topic = await suite.topic(log, 6);
    const settings = { group: groupName(), topics: [topic], positions: new Positions() };
    let appended = 0;
    const append = async (): Promise<void> => {
      await log.append(numbered(topic, 60, 30, appended));
      appended += 60;
    };
    const members = [await suite.member(log, settings)];
    const readers = (): Reader[] => members.map((m) => m.reader);
    await append();
    for (const other of [suite.open(), suite.open()]) {
      members.push(await suite.member(other, settings));
      await append();
      await settled('a share for each', spread(members, 6));
      await append();
    }
    const gone = members[0];
    await gone?.subscription.stop();
    await append();
    await settled('a share for those who stayed', spread(members.slice(1), 6));
    await append();
    await settled('all', () => times(all(readers())).size === appended);
    expect(notOnce(readers())).toEqual([]);
    expect(gone?.subscription.assigned()).toEqual([]);
  });

  it('L4: groups do not share: each gets every record', async () => {
    const log = suite.open();
    const topic = await suite.topic(log, 3);
    await log.append(numbered(topic, 30));
    const one = await suite.member(log, { group: groupName(), topics: [topic] });
    const two = await suite.member(log, { group: groupName(), topics: [topic] });
    await settled('both', () => one.reader.records.length === 30 && two.reader.records.length === 30);
  });

  it('a pause does not survive a rebalance', async () => {
    const log = suite.open();
    const topic = await suite.topic(log, 2);
    const settings = { group: groupName(), topics: [topic], positions: new Positions() };
    const first = await suite.member(log, settings);
    await settled('the partitions', () => first.subscription.assigned().length === 2);
    first.subscription.pause(first.subscription.assigned());
    const second = await suite.member(suite.open(), settings);
    await settled('a share for each', spread([first, second], 2));
    await log.append(numbered(topic, 40));
    await settled('all', () => times(all([first.reader, second.reader])).size === 40);
    expect(first.reader.records.length).toBeGreaterThan(0);
  });

  it('L5: a partition waits for the unit of its old owner', async () => {
    const log = suite.open();
    const topic = await suite.topic(log, 2);
    await log.append(numbered(topic, 20));
    const positions = new Positions();
    const settings = { group: groupName(), topics: [topic], positions };
    let finish: (() => void) | undefined;
    const slow = await suite.member(log, {
      ...settings,
      handle: async (batches) => {
        await new Promise<void>((resolve) => (finish = resolve));
        return takeAll(batches);
      },
    });
    await settled('a unit under way', () => finish);
    const other = await suite.member(suite.open(), settings);
    await log.append(numbered(topic, 20));
    const witness = await suite.member(log, { group: groupName(), topics: [topic] });
    await settled('everybody else has read it all', () => witness.reader.records.length === 40);
    expect(other.reader.records).toEqual([]);
    const release = setInterval(() => finish?.(), 5); // every unit of the slow one ends from now on
    suite.later(() => Promise.resolve(clearInterval(release)));
    await settled('a share for each', spread([slow, other], 2));
    await settled('all', () => times(all([slow.reader, other.reader])).size === 40);
    expect(notOnce([slow.reader, other.reader])).toEqual([]);
  });

  it('L4, L5: a member that is killed: its partitions go over, its unit is delivered again', async () => {
    const log = suite.open();
    const topic = await suite.topic(log, 4);
    await log.append(numbered(topic, 40));
    const settings = { group: groupName(), topics: [topic], positions: new Positions() };
    const doomed = await suite.child({ ...settings, handle: () => new Promise(() => undefined) });
    await settled('a unit under way', () => doomed.reader.units === 1);
    const under = doomed.reader.records.length;
    await doomed.process.kill();
    const heir = await suite.member(log, settings);
    await settled('all again', () => times(heir.reader.records).size === 40);
    expect(under).toBeGreaterThan(0);
    expect(heir.subscription.assigned()).toHaveLength(4);
  });

  it('L5: a member frozen past its session delivers nothing before it knows', async () => {
    const log = suite.open();
    const topic = await suite.topic(log, 4);
    const positions = new Positions();
    const settings = { group: groupName(), topics: [topic], positions };
    const frozen = await suite.child(settings);
    await log.append(numbered(topic, 40));
    await settled('all at the first member', () => frozen.reader.records.length === 40);
    frozen.process.freeze();
    const heir = await suite.member(log, settings);
    await settled('the heir has all partitions', () => heir.subscription.assigned().length === 4);
    await log.append(numbered(topic, 40, 16, 40));
    await settled('and their records', () => heir.reader.records.length === 40);
    frozen.process.thaw();
    await settled('it learns', () => frozen.reader.happened.some((h) => h.what === 'revoked unclean'));
    await settled('it is back', () => heir.subscription.assigned().length === 2);
    await log.append(numbered(topic, 40, 16, 80));
    const readers = [frozen.reader, heir.reader];
    await settled('all', () => times(all(readers)).size === 120);
    expect(notOnce(readers)).toEqual([]);
    await frozen.process.stop();
  });
}
