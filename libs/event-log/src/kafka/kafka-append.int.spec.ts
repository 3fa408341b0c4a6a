import { randomUUID } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { kindOf, silentLogger } from '@aura/platform';
import { afterAll, describe, expect, it } from 'vitest';
import { RecordRefusedError, UnknownTopicError } from '../errors.js';
import type { AppendResult, EventLog, LogRecord, NewRecord } from '../event-log.js';
import type { KafkaLogOptions } from './client.js';
import { kafkaLog } from './kafka-log.js';

const brokers = (process.env['KAFKA_BROKERS'] ?? '').split(',');
const open: EventLog[] = [];
const logWith = (options: Partial<KafkaLogOptions> = {}): EventLog => {
  const log = kafkaLog({ brokers, clientId: 'spec', logger: silentLogger, ...options });
  open.push(log);
  return log;
};
const log = logWith();
afterAll(() => Promise.all(open.map((l) => l.close())));

async function topicOf(partitions: number): Promise<string> {
  const name = `spec-${randomUUID()}`;
  await log.createTopics([{ name, partitions }]);
  return name;
}

const record = (topic: string, value: string, key = 'k'): NewRecord => ({
  topic,
  key,
  value: Buffer.from(value),
  headers: {},
});

async function all(topic: string, partition = 0): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  for await (const found of log.scan(topic, partition, 0n, 1_000_000n)) records.push(found);
  return records;
}

/** Whether every index is in exactly one acknowledgement or failure (L3). */
function namesEach(result: AppendResult, count: number): boolean {
  const indexes = [...result.acknowledged, ...result.failed].flatMap((part) => part.indexes);
  return indexes.length === count && new Set(indexes).size === count;
}

/** Kafka's number of the produce request; the first two bytes behind the length of a request. */
const PRODUCE = 0;

/** A socket factory whose connections hear nothing more once they have sent records to `topic`. */
function answersOf(topic: string): Exclude<KafkaLogOptions['connection'], undefined> {
  return {
    socketFactory: ({ host, port, onConnect }) => {
      const socket = connect(port, host, onConnect);
      const write = socket.write.bind(socket) as (data: Buffer, encoding?: BufferEncoding) => boolean;
      socket.write = ((data: Buffer, encoding?: BufferEncoding): boolean => {
        const bytes = Buffer.isBuffer(data) ? data : Buffer.from(data, encoding);
        if (bytes.length > 6 && bytes.readInt16BE(4) === PRODUCE && bytes.includes(topic))
          socket.removeAllListeners('data').resume();
        return write(data, encoding);
      }) as Socket['write'];
      return socket;
    },
  };
}

/**
 * A socket factory whose connections, while `broken`, break when a produce request has been sent: its answer
 * is lost.
 */
function answersGetLost(): {
  broken: boolean;
  lost: number;
  factory: Exclude<KafkaLogOptions['connection'], undefined>;
} {
  const state = {
    broken: false,
    lost: 0,
    factory: {
      socketFactory: ({
        host,
        port,
        onConnect,
      }: {
        host: string;
        port: number;
        onConnect: () => void;
      }): Socket => {
        const socket = connect(port, host, onConnect);
        const write = socket.write.bind(socket) as (data: Buffer, encoding?: BufferEncoding) => boolean;
        socket.write = ((data: Buffer, encoding?: BufferEncoding): boolean => {
          const sent = write(data, encoding);
          const bytes = Buffer.isBuffer(data) ? data : Buffer.from(data, encoding);
          if (state.broken && bytes.length > 6 && bytes.readInt16BE(4) === PRODUCE) {
            state.lost += 1;
            socket.removeAllListeners('data');
            socket.end(); // after what was written
          }
          return sent;
        }) as Socket['write'];
        return socket;
      },
    },
  };
  return state;
}

describe('append', () => {
  it('E4: names each record in the acknowledgement of its own partition', async () => {
    const topic = await topicOf(12);
    const records = Array.from({ length: 500 }, (_, i) => record(topic, `v${i}`, `key-${i % 37}`));
    const result = await log.append(records);
    expect(result.failed).toEqual([]);
    expect(namesEach(result, 500)).toBe(true);
    expect(result.acknowledged.length).toBeGreaterThan(6);
    for (const { partition, firstOffset, indexes } of result.acknowledged) {
      const kept = (await all(topic, partition)).slice(Number(firstOffset));
      expect(kept.map((r) => r.value.toString())).toEqual(indexes.map((i) => `v${i}`));
    }
  });

  it('E4: after a lost answer the next record is not taken for a repetition (K3)', async () => {
    const topic = await topicOf(1);
    const network = answersGetLost();
    const fragile = logWith({ connection: network.factory });
    expect((await fragile.append([record(topic, 'first')])).failed).toEqual([]);
    network.broken = true;
    const lost = await fragile.append([record(topic, 'given up')]);
    expect(network.lost).toBeGreaterThan(0);
    expect(lost.acknowledged).toEqual([]);
    expect(lost.failed.map((f) => kindOf(f.error))).toEqual(['transient']);
    network.broken = false;
    const after = await fragile.append([record(topic, 'another')]);
    expect(after.failed).toEqual([]);
    const kept = await all(topic);
    const { firstOffset = -1n } = after.acknowledged[0] ?? {};
    expect(kept.find((r) => r.offset === firstOffset)?.value.toString()).toBe('another');
  });

  it('H30: a probe of a partition that does not answer delays no other append', async () => {
    const [dead, alive] = [await topicOf(1), await topicOf(1)];
    const deaf = logWith({ connection: answersOf(dead), appendTimeoutMs: 3_000 });
    const ended: string[] = [];
    const probing = deaf.append([record(dead, 'probe')], { probe: true }).then(
      ({ failed }) => failed.map(({ error }) => error),
      (error: unknown) => [error],
    );
    const healthy = deaf.append([record(alive, 'healthy')]);
    await Promise.all([probing.then(() => ended.push('probe')), healthy.then(() => ended.push('healthy'))]);
    expect(ended).toEqual(['healthy', 'probe']);
    expect((await healthy).failed).toEqual([]);
    expect((await probing).map(kindOf)).toEqual(['transient']);
  });

  it('splits what is too large for one batch, and keeps its order', async () => {
    const topic = await topicOf(1);
    const blob = 'x'.repeat(300_000);
    const result = await log.append(Array.from({ length: 10 }, (_, i) => record(topic, `${i}${blob}`)));
    expect(result.failed).toEqual([]);
    expect(namesEach(result, 10)).toBe(true);
    expect((await all(topic)).map((r) => r.value.toString().charAt(0))).toEqual('0123456789'.split(''));
  });

  it('finds the record that the broker refuses, and no other', async () => {
    const topic = await topicOf(2);
    const eager = logWith({ maxRecordBytes: 4_000_000, maxBatchBytes: 4_000_000 });
    const result = await eager.append([
      record(topic, 'a'),
      record(topic, 'b'),
      record(topic, 'x'.repeat(2_000_000)),
      record(topic, 'behind it'),
      record(topic, 'elsewhere', 'k1'),
    ]);
    expect(namesEach(result, 5)).toBe(true);
    expect(
      result.failed.map((f) => [f.indexes, f.error instanceof RecordRefusedError, kindOf(f.error)]),
    ).toEqual([
      [[2], true, 'terminal'],
      [[3], false, 'transient'],
    ]);
    expect((await all(topic, result.acknowledged[0]?.partition)).length).toBeGreaterThan(0);
  });

  it('refuses a record above its limit without asking the broker', async () => {
    const topic = await topicOf(1);
    const result = await log.append([record(topic, 'x'.repeat(1_100_000), 'big'), record(topic, 'small')]);
    expect(result.failed.map((f) => [f.indexes, kindOf(f.error)])).toEqual([[[0], 'terminal']]);
    expect(result.acknowledged.map((a) => a.indexes)).toEqual([[1]]);
  });

  it('fails the records of an unknown topic alone', async () => {
    const topic = await topicOf(1);
    const nowhere = `spec-${randomUUID()}`;
    const result = await log.append([record(nowhere, 'a'), record(topic, 'b'), record(nowhere, 'c')]);
    expect(result.failed).toEqual([
      { topic: nowhere, partition: undefined, indexes: [0, 2], error: expect.any(UnknownTopicError) },
    ]);
    expect(result.acknowledged.map((a) => a.indexes)).toEqual([[1]]);
  });

  it('rejects, in its time, when no broker is there (K4)', async () => {
    const nobody = logWith({ brokers: ['127.0.0.1:1'], appendTimeoutMs: 3_000 });
    const failure = await nobody.append([record('t', 'a')]).catch((error: unknown) => error);
    expect(kindOf(failure)).toBe('transient');
    await expect(nobody.ping(2_000)).rejects.toSatisfy((error) => kindOf(error) === 'transient');
  });
});
