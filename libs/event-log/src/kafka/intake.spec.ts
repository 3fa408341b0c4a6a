import { seeded } from '@aura/testing';
import { describe, expect, it } from 'vitest';
import type { LogRecord } from '../event-log.js';
import { Intake } from './intake.js';

const at = (partition: number): { topic: string; partition: number } => ({ topic: 't', partition });
const records = (partition: number, first: number, count: number, bytes = 10): LogRecord[] =>
  Array.from({ length: count }, (_, i) => ({
    ...at(partition),
    offset: BigInt(first + i),
    timestampMs: 0,
    key: 'k',
    value: Buffer.alloc(bytes - 1),
    headers: {},
  }));
const counts = (intake: Intake, maxRecords: number, maxBytes = Infinity): Record<number, number> =>
  Object.fromEntries(
    intake.take({ maxRecords, maxBytes }).map((batch) => [batch.partition, batch.records.length]),
  );

describe('Intake', () => {
  it('gives one unit what has arrived of all partitions (I1)', () => {
    const intake = new Intake();
    intake.add(at(0), records(0, 0, 3), () => undefined);
    intake.add(at(1), records(1, 7, 2), () => undefined);
    expect(counts(intake, 500)).toEqual({ 0: 3, 1: 2 });
  });

  it('keeps within records and bytes; a larger record comes alone (I1)', () => {
    const intake = new Intake();
    intake.add(at(0), records(0, 0, 100), () => undefined);
    expect(counts(intake, 30)).toEqual({ 0: 30 });
    expect(counts(intake, 500, 55)).toEqual({ 0: 5 });
    expect(counts(intake, 500, 1)).toEqual({ 0: 1 });
  });

  it('gives each partition its share before any gets more (I2)', () => {
    const intake = new Intake();
    intake.add(at(0), records(0, 0, 1000), () => undefined);
    intake.add(at(1), records(1, 0, 1000), () => undefined);
    intake.add(at(2), records(2, 0, 10), () => undefined);
    expect(counts(intake, 90)).toEqual({ 0: 50, 1: 30, 2: 10 });
  });

  it('lets the others go first next time (I2)', () => {
    const intake = new Intake();
    intake.add(at(0), records(0, 0, 1000), () => undefined);
    intake.add(at(1), records(1, 0, 1000), () => undefined);
    expect(counts(intake, 1)).toEqual({ 0: 1 });
    intake.advance(at(0), 1n);
    expect(counts(intake, 1)).toEqual({ 1: 1 });
  });

  it('tells when nothing of a fetched batch is left, once', () => {
    const intake = new Intake();
    let done = 0;
    intake.add(at(0), records(0, 5, 3), () => (done += 1));
    intake.advance(at(0), 7n);
    expect([done, intake.empty]).toEqual([0, false]);
    intake.advance(at(0), 8n);
    expect([done, intake.empty]).toEqual([1, true]);
    intake.drop(at(0));
    expect(done).toBe(1);
  });

  it('drops what was fetched when its partition goes back', () => {
    const intake = new Intake();
    let done = 0;
    intake.add(at(0), records(0, 5, 3), () => (done += 1));
    intake.advance(at(0), 4n);
    expect([done, intake.empty]).toEqual([1, true]);
  });

  it('delivers every record once and in order, whatever a unit takes and handles', () => {
    const random = seeded('intake');
    const intake = new Intake();
    const sizes = Array.from({ length: 5 }, () => 1 + random.int(200));
    const seen = sizes.map(() => [] as number[]);
    for (const [partition, size] of sizes.entries())
      intake.add(at(partition), records(partition, 0, size, 2 + random.int(50)), () => undefined);
    while (!intake.empty)
      for (const batch of intake.take({ maxRecords: 1 + random.int(80), maxBytes: 1 + random.int(900) })) {
        const handled = batch.records.slice(0, random.int(batch.records.length + 1));
        const last = handled.at(-1);
        if (!last) continue;
        seen[batch.partition]?.push(...handled.map((r) => Number(r.offset)));
        intake.advance(batch, last.offset + 1n);
      }
    expect(seen).toEqual(sizes.map((size) => Array.from({ length: size }, (_, i) => i)));
  });
});
