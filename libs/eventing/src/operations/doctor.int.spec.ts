/** What a service says is wrong with it, for each way to stand still, and that the named command mends it. */
import { UnknownSchemaIdError, type SchemaRegistry } from '@aura/contracts';
import { silentLogger, TerminalError } from '@aura/platform';
import { settled } from '@aura/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ledgerService, SpecEvents, type EventToPublish } from '../../test/consumer-fixture.js';
import type { Counted, ServiceFixture } from '../../test/service-fixture.js';
import { tamperedLogs, type TamperedLog } from '../../test/tampered-log.js';
import { Handlers } from '../consumer/handlers.js';
import { Eventing, type EventingOptions } from '../eventing.js';
import type { Change, Finding } from './operations.js';

const change: Change = { reason: 'as the doctor says', by: 'olga', dryRun: false };
const MINUTE = 60_000;
const failing = ({ key }: Counted): void => {
  throw new TerminalError(`${key} is not known`);
};

describe.each(tamperedLogs())('the doctor over $kind', ({ open }) => {
  let tampered: TamperedLog;
  beforeAll(async () => {
    tampered = await open();
  });
  afterAll(() => tampered.close());

  let service: ServiceFixture;
  let events: SpecEvents;
  let topic: string;
  let eventing: Eventing;
  let stopped: boolean;
  /** Why the registry can't say; undefined while it can. */
  let registryFails: Error | undefined;
  /** Of the service's clock, ahead of the time (ms). */
  let aheadMs: number;
  /** What the handler does before it notes. */
  let before: (event: Counted) => unknown;
  beforeEach(async () => {
    service = await ledgerService();
    await service.pool.query('drop table aura.outbox_any_day');
    events = new SpecEvents();
    ({ topic } = events);
    registryFails = undefined;
    aheadMs = 0;
    before = () => undefined;
    await tampered.log.createTopics([{ name: topic, partitions: 1 }]);
  });
  afterEach(async () => {
    await stop();
    await service.close();
  });

  const registry: SchemaRegistry = {
    register: () => Promise.resolve(1),
    schemaById: (id) => (registryFails ? Promise.reject(registryFails) : events.registry.schemaById(id)),
    ping: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
  async function start(options: Partial<EventingOptions> = {}): Promise<void> {
    stopped = false;
    eventing = new Eventing({
      service: events.group,
      dataSource: service.dataSource,
      databaseUrl: service.database.url,
      log: tampered.log,
      registry,
      contracts: events.contracts,
      logger: silentLogger,
      clock: { now: () => new Date(Date.now() + aheadMs) },
      createTopics: { partitions: 1 },
      ...options,
      limits: { initialBackoffMs: 5, maxBackoffMs: 50, saveSkippedMs: 50, ...options.limits },
    });
    await eventing.prepare();
    await eventing.run([]);
    await eventing.consume(new Handlers([events.noting((event) => before(event))]));
  }
  async function stop(): Promise<void> {
    if (stopped) return;
    stopped = true;
    await eventing.stopConsuming();
    await eventing.stopTasks();
    await eventing.stopPublishing();
  }

  async function publish(...given: readonly EventToPublish[]): Promise<void> {
    const { failed } = await tampered.log.append(given.map((event) => events.record(event)));
    expect(failed).toEqual([]);
  }
  /** With a schema that only the registry can say. */
  async function publishUnknown(key: string): Promise<void> {
    const { ce_dataschema: _, ...headers } = events.record({ key, n: 1 }).headers;
    await tampered.log.append([{ ...events.record({ key, n: 1 }), headers }]);
  }
  /** A group over Kafka looks for a topic that was made anew only now and then. */
  const applied = (...expected: string[]): Promise<unknown> =>
    settled(
      `${expected.join()} applied`,
      async () => {
        const rows = await service.rows<{ note: string }>("select key || ':' || n as note from ledger");
        return expected.every((note) => rows.some((row) => row.note === note));
      },
      { withinMs: 90_000 },
    );
  const finding = (code: string): Promise<Finding> =>
    settled(`the doctor finds ${code}`, async () =>
      (await eventing.operations.doctor()).find((found) => found.code === code),
    );
  /** Whatever the topic's settings are: a test's broker stands alone. */
  const nothing = (): Promise<unknown> =>
    settled('the doctor finds nothing more', async () => {
      const found = await eventing.operations.doctor();
      return found.every(({ code }) => /^(single-broker|replication-low|min-insync-low)$/.test(code));
    });
  const moveToFirst = (): Promise<unknown> =>
    eventing.operations.groups.move({ topic }, { to: 'first' }, change);
  /** Reads one event and stops in good order. */
  async function readOne(): Promise<void> {
    await publish({ key: 'a', n: 1 });
    await start();
    await applied('a:1');
    await stop();
  }
  it('key-letters-full: a partition that waits for room behind a key; a redrive makes it', async () => {
    before = failing;
    await start({ letters: { perKey: 1 } });
    await publish({ key: 'a', n: 1 }, { key: 'a', n: 2 });
    const found = await finding('key-letters-full');
    expect(found).toMatchObject({ severity: 'alarm', subject: `${topic}/0` });
    expect(found.words).toContain(`key a of ${topic} already has 1 letters`);
    expect(found.command).toBe(`dead-letters redrive --topic ${topic} --reason "…"`);
    before = () => undefined;
    await eventing.operations.letters.redrive({ topic }, change);
    await applied('a:1', 'a:2');
    await nothing();
  });

  it('group-letters-full: the same for all letters of the group', async () => {
    before = failing;
    await start({ letters: { perGroup: 1 } });
    await publish({ key: 'a', n: 1 }, { key: 'b', n: 1 });
    const found = await finding('group-letters-full');
    expect(found).toMatchObject({ severity: 'alarm', subject: `${topic}/0` });
    expect(found.command).toBe('dead-letters redrive --reason "…"');
    before = () => undefined;
    await eventing.operations.letters.redrive({}, change);
    await applied('a:1', 'b:1');
    await nothing();
  });

  it('mass-failure: a group that has paused itself is told from one that a person has paused', async () => {
    before = failing;
    await start({ limits: { massFailure: { minKeys: 2, share: 0.1 } } });
    await publish({ key: 'a', n: 1 }, { key: 'b', n: 1 });
    const found = await finding('mass-failure');
    expect(found).toMatchObject({ severity: 'alarm', subject: events.group });
    expect(found.words).toMatch(/has paused itself since .*: 2 of 2 keys failed .*is not known/);
    expect(found.command).toBe('groups resume --reason "…"');
    before = () => undefined;
    await eventing.operations.groups.resume(change);
    await eventing.operations.letters.redrive({}, change);
    await applied('a:1', 'b:1');
    await nothing();
    await eventing.operations.groups.pause(change);
    expect(await finding('group-paused')).toMatchObject({
      severity: 'alarm',
      subject: events.group,
      words: expect.stringContaining('is paused by olga'),
      command: 'groups resume --reason "…"',
    });
    await eventing.operations.groups.resume(change);
    await nothing();
  });

  it('schema-away: a partition whose schema can’t be asked for; it comes back by itself', async () => {
    registryFails = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
    await start();
    await publishUnknown('a');
    const found = await finding('schema-away');
    expect(found).toMatchObject({ severity: 'warning', subject: `${topic}/0`, command: undefined });
    expect(found.words).toContain(`the schema of ${topic}/0 at 0 can’t be asked for (refused)`);
    registryFails = undefined;
    await applied('a:1');
    await nothing();
  });

  it('dead-letter-unreadable: an event that no handler can mend', async () => {
    registryFails = new UnknownSchemaIdError(1);
    await start();
    await publishUnknown('a');
    const found = await finding('dead-letter-unreadable');
    expect(found).toMatchObject({ severity: 'warning', subject: `${topic} a` });
    expect(found.words).toContain('can’t be read: UnknownSchemaIdError: schema id 1 is unknown');
    expect(found.command).toBe(`dead-letters redrive --topic ${topic} --key a --reason "…"`);
    registryFails = undefined;
    await eventing.operations.letters.redrive({ topic, key: 'a' }, change);
    await applied('a:1');
    await nothing();
  });

  const toFirst = (): string => `groups move --topic ${topic} --partition 0 --to first --reason "…"`;

  it('position-expired, E10: retention has passed it', async () => {
    await readOne();
    await publish({ key: 'a', n: 2 }, { key: 'a', n: 3 }, { key: 'a', n: 4 });
    await tampered.deleteBefore(topic, 0, 3);
    await start();
    const found = await finding('position-expired');
    expect(found).toMatchObject({ severity: 'alarm', subject: `${topic}/0`, command: toFirst() });
    expect(found.words).toContain('this reader stands at 1: retention has passed it');
    await moveToFirst();
    await applied('a:4');
    await nothing();
  });

  it('position-beyond-end, E10: the log lost its tail', async () => {
    await readOne();
    await service.pool.query('update aura.consumer_offset set next_offset = 99');
    await start();
    const found = await finding('position-beyond-end');
    expect(found).toMatchObject({ severity: 'alarm', subject: `${topic}/0`, command: toFirst() });
    await moveToFirst();
    await publish({ key: 'a', n: 2 });
    await applied('a:2');
    await nothing();
  });

  it('group-forgotten, E10: the database does not know it', async () => {
    await readOne();
    await settled('the log knows how far it was', async () =>
      (await tampered.log.groupOffsets(events.group, topic)).some(({ offset }) => offset === 1n),
    );
    await service.pool.query('truncate aura.consumer_offset');
    await start();
    const found = await finding('group-forgotten');
    expect(found).toMatchObject({ severity: 'alarm', subject: `${topic}/0`, command: toFirst() });
    await moveToFirst();
    await publish({ key: 'a', n: 2 });
    await applied('a:2');
    await nothing();
  });

  it('topic-gone: its publisher makes it, then the group is moved to its first record', async () => {
    await publish({ key: 'a', n: 1 });
    await start();
    await applied('a:1');
    await tampered.deleteTopic(topic);
    const found = await finding('topic-gone');
    expect(found).toMatchObject({ severity: 'alarm', subject: `${topic}/0` });
    expect(found.command).toBe(`topics apply --service ${events.service} --reason "…"`);
    await settled('it is made anew', async () => {
      await tampered.log.createTopics([{ name: topic, partitions: 1 }]);
      return (await tampered.log.bounds(topic)).every(({ end }) => end === 0n);
    });
    await settled('it is to be moved', async () =>
      (await eventing.operations.doctor()).some(({ command }) => command === toFirst()),
    );
    await moveToFirst();
    await publish({ key: 'a', n: 2 });
    await applied('a:2');
    await nothing();
  }, 120_000);

  it('nobody-reads: records wait and nothing moves, whether nobody has them or somebody hangs', async () => {
    await readOne();
    await publish({ key: 'a', n: 2 }, { key: 'b', n: 1 });
    expect((await eventing.operations.doctor()).map(({ code }) => code)).not.toContain('nobody-reads');
    aheadMs = 5 * MINUTE;
    const free = await finding('nobody-reads');
    expect(free).toMatchObject({ severity: 'alarm', subject: `${topic}/0`, command: undefined });
    expect(free.words).toMatch(/^2 records have waited .* \(owner: nobody\)/);
    const gate = Promise.withResolvers<void>();
    const inHandler = Promise.withResolvers<void>();
    before = () => {
      inHandler.resolve();
      return gate.promise;
    };
    await start();
    await inHandler.promise;
    const hanging = await finding('nobody-reads');
    expect(hanging.words).toMatch(/^2 records have waited .* \(owner: [0-9a-f-]{36}\)/);
    gate.resolve();
    await applied('a:2', 'b:1');
    await nothing();
  });

  it('says nothing of a topic that the group has left behind, whatever waits there or is gone', async () => {
    await readOne();
    const left = `${topic}.left`;
    await tampered.log.createTopics([{ name: left, partitions: 1 }]);
    await tampered.log.append([{ ...events.record({ key: 'a', n: 1 }), topic: left }]);
    await service.pool.query(
      `insert into aura.consumer_offset
              (consumer_group, topic, partition, next_offset, high_water, epoch, owner, released)
       select consumer_group, unnest(array[$1, $1 || '.gone']), 0, 0, 0, 1, '', true
         from aura.consumer_offset`,
      [left],
    );
    aheadMs = 5 * MINUTE;
    await nothing();
  });

  it('group-behind: records wait for long, but they are being read', async () => {
    await readOne();
    await publish({ key: 'a', n: 2 });
    aheadMs = 3 * MINUTE;
    await service.pool.query(
      `update aura.consumer_offset set changed_at = clock_timestamp() + interval '2 minutes'`,
    );
    const found = await finding('group-behind');
    expect(found).toMatchObject({ severity: 'note', subject: `${topic}/0`, command: undefined });
    expect(found.words).toMatch(/^1 records have waited/);
    expect((await eventing.operations.doctor()).map(({ code }) => code)).not.toContain('nobody-reads');
  });
});
