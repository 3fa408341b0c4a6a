import { cloudEventHeaders, Contracts, frame, type EventEnvelope } from '@aura/contracts';
import { postgresLog, type EventLog } from '@aura/event-log';
import { Consumer, Handlers, listParked } from '@aura/eventing';
import { silentLogger } from '@aura/platform';
import { settled, testDatabase, type TestDatabase } from '@aura/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Depot, DEPOT } from './participant-depot.js';
import { again, Hold, participantFixture, SagaOf, type ParticipantFixture } from './participant-fixture.js';

let depot: Depot;
let service: ParticipantFixture;
let database: TestDatabase;
let log: EventLog;
let consumer: Consumer;
let contracts: Contracts;

beforeAll(async () => {
  depot = new Depot();
  service = await participantFixture([{ type: Hold, participant: depot }], { sql: DEPOT });
  database = await testDatabase('lost_decision');
  log = postgresLog({ url: database.url });
  const { participants, units } = service;
  const { subscribes } = participants;
  await log.createTopics(
    [...new Set(subscribes.map(({ topic }) => topic))].map((name) => ({ name, partitions: 2 })),
  );
  contracts = new Contracts({ publishes: subscribes, subscribes });
  consumer = new Consumer({
    group: 'depot',
    log,
    registry: { schemaById: (id) => Promise.resolve(schemas()[id - 1] ?? 'null') },
    contracts,
    handlers: new Handlers(participants.handlers()),
    units: units.context,
    logger: silentLogger,
    limits: { initialBackoffMs: 5, maxBackoffMs: 50 },
  });
  await consumer.start();
});
afterAll(async () => {
  await consumer.stop();
  await log.close();
  await database.drop();
  await service.close();
});

const schemas = () => contracts.definitions().map(({ schema }) => schema);

/** As its coordinator's relay appends it; `value`: something else in its place. */
async function publish(event: EventEnvelope, value?: Buffer): Promise<void> {
  const type = service.participants.subscribes.find(
    ({ name, topic }) => name === event.type && topic === event.topic,
  );
  const encoded = contracts.encode({ type: type as never, payload: event.payload });
  const headers = cloudEventHeaders({
    id: event.id,
    type: event.type,
    source: event.source,
    key: event.key,
    time: event.time,
    sequence: 1n,
    fingerprint: encoded.fingerprint,
    carried: {},
  });
  const record = { topic: event.topic, key: event.key, headers, value: value ?? frame(1, encoded.body) };
  expect((await log.append([record])).failed).toEqual([]);
}

const stock = { branch: 'stock', type: Hold };
const two = { ...stock, input: { sku: 'sku-1', pieces: 2 } };
const GARBAGE = Buffer.from([7, 7, 7]);
const inState = (saga: SagaOf, state: string): Promise<unknown> =>
  settled(`${saga.id} is ${state}`, async () => (await service.states())[`${saga.id}/stock`] === state);

it('H20: a decision that can’t be read is asked for, and its answer waits behind nothing', async () => {
  const saga = new SagaOf();
  await publish(saga.started(two));
  await inState(saga, 'PREPARED');
  await publish(saga.committed(stock), GARBAGE);
  const asked = await settled('the decision is asked for', async () => {
    await service.participants.runOnce();
    const answers = await service.answers();
    return answers.find(({ says, sagaId }) => says === 'DecisionAsked' && sagaId === saga.id);
  });
  expect(asked.answer).toMatchObject({ branch: 'stock', coordinator: 'shop' });
  await publish(saga.repeated(stock, 'COMMITTED'));
  await inState(saga, 'COMMITTED');
  expect(await listParked(service.pool, 'depot')).toEqual([]);
  expect(service.errors).toContainEqual(expect.stringContaining('could not be handled'));
});

it('H20: a commit that fails in every way open to it parks nothing, and is asked for again', async () => {
  const saga = new SagaOf();
  await publish(saga.started(two));
  await inState(saga, 'PREPARED');
  await service.answers();
  // A passing fault that does not pass: nothing is concluded from it, not even that it is a task.
  depot.faults.set('commit', () => Object.assign(new Error('lock timeout'), { code: '55P03' }));
  await publish(saga.committed(stock));
  const isAsked = async (): Promise<boolean> => {
    await service.participants.runOnce();
    return (await service.answers()).some(({ sagaId }) => sagaId === saga.id);
  };
  await settled('the decision is asked for', isAsked);
  depot.faults.clear();
  await publish(saga.repeated(stock, 'COMMITTED'));
  await inState(saga, 'COMMITTED');
  expect(await listParked(service.pool, 'depot')).toEqual([]);
});

it('H20: an ask that can’t be read does not hold up the cancel behind it', async () => {
  const saga = new SagaOf();
  const started = saga.started(two);
  await publish(started, GARBAGE);
  await publish(saga.aborted(stock));
  await inState(saga, 'TOMBSTONE');
  await publish(again(started));
  const refusal = await settled('the late prepare is refused', async () =>
    (await service.answers()).find(({ says, sagaId }) => says === 'REFUSED' && sagaId === saga.id),
  );
  expect(refusal.answer).toMatchObject({ code: 'cancelled' });
  expect(await listParked(service.pool, 'depot')).toEqual([]);
});
