import { expect, it } from 'vitest';
import { kindOf, TransientError } from '@aura/platform';
import { settled } from '@aura/testing';
import type { OwnServer } from './harness.js';
import { groupName, numbered, type Suite } from './suite.js';

export function outages(suite: Suite): void {
  const server = async (skip: (note: string) => never): Promise<OwnServer> => {
    const own = await (suite.harness.ownServer?.() ?? skip('this adapter has no server of its own to stop'));
    suite.later(() => own.dispose());
    return own;
  };

  it('L6: a server goes and comes back: appends are transient failures, readers go on', async ({ skip }) => {
    const own = await server(skip);
    const log = own.open();
    suite.later(() => log.close());
    const topic = await suite.topic(log, 3);
    await log.append(numbered(topic, 30));
    const { reader, subscription } = await suite.member(log, { group: groupName(), topics: [topic] });
    await settled('the first', () => reader.records.length === 30);
    await own.stop();
    const error: unknown = await log.append(numbered(topic, 1)).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(TransientError);
    await expect(log.ping(1_000)).rejects.toBeInstanceOf(TransientError);
    await settled('unhealthy', () => !subscription.healthy());
    await own.start();
    const sent = await settled('appends again', () => log.append(numbered(topic, 30, 16, 30)), {
      withinMs: 40_000,
    });
    expect(sent.failed).toEqual([]);
    await settled('and delivered', () => reader.records.length >= 60, { withinMs: 40_000 });
    expect(reader.records.map((r) => Number(r.value.toString())).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 60 }, (_, i) => i),
    );
    await settled('healthy', () => subscription.healthy());
    expect(reader.errors.every((e) => kindOf(e) === 'transient')).toBe(true);
  });
}
