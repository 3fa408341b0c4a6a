import { kafkaLog } from '@aura/event-log';
import { silentLogger } from '@aura/platform';
import { settled } from '@aura/testing';
import { describe, expect, it } from 'vitest';
import { withCrashRun } from '../src/crash/campaign.js';
import type { CrashRun } from '../src/crash/crash-run.js';
import { differences } from '../src/crash/ledger.js';

/** `ce_sequence` of the topic's records, by key, in the order in which they are in it. */
async function sequences(run: CrashRun, topic: string): Promise<Map<string, bigint[]>> {
  if (run.log.kind !== 'kafka') throw new Error('this run has no Kafka');
  const log = kafkaLog({ brokers: run.log.brokers, clientId: 'spec', logger: silentLogger });
  const found = new Map<string, bigint[]>();
  try {
    for (const { partition, first, end } of await log.bounds(topic))
      for await (const { key, headers } of log.scan(topic, partition, first, end))
        found.set(key, [...(found.get(key) ?? []), BigInt(headers['ce_sequence'] ?? -1)]);
    return found;
  } finally {
    await log.close();
  }
}

describe.skipIf(!process.env['KAFKA_BROKERS'])('a first start without Kafka and registry', () => {
  it(
    'E1 E2: services start and commit; when both come up everything is published, in order, each once',
    () =>
      withCrashRun({ log: 'absent', stocks: ['stock'] }, async (run) => {
        await settled('orders are committed', () => run.acknowledged.length > 200, { withinMs: 60_000 });
        expect(await run.unpublished()).toBeGreaterThan(200);
        expect(run.services.flatMap(({ deaths }) => deaths)).toEqual([]);
        await run.arrive();
        await run.progress(300);
        const ledger = await run.quiet();
        expect(differences(ledger)).toEqual([]);
        expect(run.services.flatMap(({ deaths }) => deaths)).toEqual([]);
        const published = await sequences(run, 'orders.events');
        expect([...published.values()].flat()).toHaveLength(ledger.causes.length);
        for (const ofKey of published.values())
          expect(ofKey).toEqual(ofKey.toSorted((a, b) => Number(a - b)));
      }),
    300_000,
  );
});
