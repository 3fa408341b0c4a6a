import { InvariantError } from '@aura/platform';
import { describe, expect, it } from 'vitest';
import { Contracts } from './contracts.js';
import { defineEvent } from './define-event.js';
import { EventTooLargeError, InvalidPayloadError, UnreadableEventError } from './errors.js';
import type { AvroSchema, EventType } from './event.js';
import { frame } from './framing.js';

const schema = (fields: object[], keyField = 'id'): AvroSchema => ({
  type: 'record',
  name: 'Moved',
  namespace: 'stock_keeping',
  'aura.key': keyField,
  fields,
});
const ID = { name: 'id', type: 'string' };
const V1 = define([ID, { name: 'note', type: 'string' }], 1);
const V2 = define([ID, { name: 'note', type: 'string' }, { name: 'count', type: 'int', default: 1 }], 2);

function define(fields: object[], version: number, keyField = 'id'): EventType {
  return defineEvent({ service: 'stock-keeping', version, keyField, schema: schema(fields, keyField) });
}
function publishing(type: EventType, maxBytes?: number): Contracts {
  return new Contracts({ publishes: [type], subscribes: [type], ...(maxBytes ? { maxBytes } : {}) });
}
/** A registry that counts what it is asked. */
function registry(schemas: Record<number, AvroSchema>): {
  schemaById(id: number): Promise<AvroSchema>;
  asked: number;
} {
  return {
    asked: 0,
    async schemaById(id) {
      this.asked++;
      return schemas[id] as AvroSchema;
    },
  };
}

describe('tokens', () => {
  it('follow from the definition', () => {
    expect(V2).toMatchObject({
      name: 'stock_keeping.Moved',
      topic: 'stock-keeping.events',
      subject: 'stock-keeping.events-stock_keeping.Moved',
      version: 2,
    });
  });
});

describe('Contracts.encode', () => {
  it('gives what the outbox keeps', () => {
    expect(publishing(V1).encode(V1.of({ id: 'k', note: 'n' }))).toEqual({
      type: V1.name,
      topic: V1.topic,
      subject: V1.subject,
      key: 'k',
      fingerprint: V1.fingerprint,
      body: Buffer.from('026b026e', 'hex'),
    });
  });

  it.each([
    ['a long', 'long', 2n ** 60n, '1152921504606846976'],
    [
      'a uuid in upper case',
      { type: 'string', logicalType: 'uuid' },
      '0199B0C5-1234-7ABC-8DEF-00000000000A',
      '0199b0c5-1234-7abc-8def-00000000000a',
    ],
  ])('the key of %s is its text', (_, type, id, key) => {
    const event = define([{ name: 'id', type }], 1);
    expect(publishing(event).encode(event.of({ id })).key).toBe(key);
  });

  it.each([
    ['empty', '', 'Moved.id: it is the key: expected text, got ""'],
    [
      'with a zero byte, which Postgres can not keep',
      'a\0b',
      'Moved.id: it is the key: it must not hold a zero byte',
    ],
    ['longer than an index takes', 'ü'.repeat(513), 'Moved.id: it is the key: over 1024 bytes'],
  ])('a key that is %s is refused', (_, id, message) => {
    const encode = (): unknown => publishing(V1).encode(V1.of({ id, note: '' }));
    expect(encode).toThrow(InvalidPayloadError);
    expect(encode).toThrow(message);
  });

  it('a body over the limit is refused with key and size; at the limit it passes', () => {
    const contracts = publishing(V1, 100);
    expect(contracts.encode(V1.of({ id: 'k', note: 'x'.repeat(96) })).body).toHaveLength(100);
    const encode = (): unknown => contracts.encode(V1.of({ id: 'k', note: 'x'.repeat(97) }));
    expect(encode).toThrow(EventTooLargeError);
    expect(encode).toThrow('stock_keeping.Moved of key k has 101 bytes, 100 are allowed');
  });

  it('an event that the service did not declare is a mistake of the program', () => {
    const reader = new Contracts({ publishes: [], subscribes: [V1] });
    expect(() => reader.encode(V1.of({ id: 'k', note: '' }))).toThrow(InvariantError);
    expect(() => publishing(V2).encode(V1.of({ id: 'k', note: '' }))).toThrow(InvariantError);
  });

  it('two revisions of one event in one service are refused', () => {
    expect(() => new Contracts({ publishes: [V1], subscribes: [V2] })).toThrow(/v1, v2/);
  });
});

describe('Contracts.decode', () => {
  const old = publishing(V1).encode(V1.of({ id: 'k', note: 'n' }));

  it('is synchronous where the writer is our own revision, without asking anybody', () => {
    const none = registry({});
    expect(publishing(V1).decode(V1, frame(7, old.body), none, old.fingerprint)).toEqual({
      id: 'k',
      note: 'n',
    });
    expect(none.asked).toBe(0);
  });

  it('reads an old event in the new revision; the writer is fetched once, then synchronous', async () => {
    const contracts = publishing(V2);
    const asked = registry({ 7: V1.schema });
    for (const fingerprint of [V1.fingerprint, undefined]) {
      const first = contracts.decode(V2, frame(7, old.body), asked, fingerprint);
      expect(first).toBeInstanceOf(Promise);
      expect(await first).toEqual({ id: 'k', note: 'n', count: 1 });
      expect(contracts.decode(V2, frame(7, old.body), asked, fingerprint)).toEqual({
        id: 'k',
        note: 'n',
        count: 1,
      });
    }
    expect(asked.asked).toBe(2);
  });

  it('reads a new event in the old revision', async () => {
    const body = publishing(V2).encode(V2.of({ id: 'k', note: 'n', count: 5 })).body;
    expect(await publishing(V1).decode(V1, frame(1, body), registry({ 1: V2.schema }))).toEqual({
      id: 'k',
      note: 'n',
    });
  });

  it('H35: an id that means another schema in a rebuilt registry is refused, not read as it', async () => {
    const rebuilt = registry({ 7: define([ID, { name: 'other', type: 'string' }], 1).schema });
    const late = publishing(V2).decode(V2, frame(7, old.body), rebuilt, V1.fingerprint);
    await expect(late).rejects.toThrow(UnreadableEventError);
    await expect(late).rejects.toThrow('the registry was rebuilt');
  });

  it('H35: an id that moved in a rebuilt registry does not matter once the schema is known', async () => {
    const contracts = publishing(V2);
    await contracts.decode(V2, frame(7, old.body), registry({ 7: V1.schema }), V1.fingerprint);
    expect(contracts.decode(V2, frame(99, old.body), registry({}), V1.fingerprint)).toEqual({
      id: 'k',
      note: 'n',
      count: 1,
    });
  });

  it('a schema that can not be read as ours is refused', async () => {
    const other = registry({ 7: { ...(V1.schema as unknown as { type: string }), name: 'Else' } });
    await expect(publishing(V1).decode(V1, frame(7, old.body), other)).rejects.toThrow(UnreadableEventError);
  });

  it('a malformed frame is refused at once', () => {
    expect(() => publishing(V1).decode(V1, Buffer.from('{}'), registry({}))).toThrow(UnreadableEventError);
  });
});

describe('what a service declares', () => {
  const other = defineEvent({
    service: 'a',
    version: 1,
    keyField: 'id',
    schema: { type: 'record', name: 'Done', namespace: 'a', fields: [ID] },
  });
  const contracts = new Contracts({ publishes: [V1], subscribes: [other, V1] });

  it('topics and subscriptions are those of the subscribed types', () => {
    expect(contracts.topics).toEqual(['a.events', 'stock-keeping.events']);
    expect(contracts.subscriptions).toEqual(['a.Done', V1.name]);
  });

  it('definitions are those of the published types', () => {
    expect(contracts.definitions()).toEqual([
      { fingerprint: V1.fingerprint, subject: V1.subject, schema: V1.schema },
    ]);
  });

  it('a key field that does not exist is refused', () => {
    expect(() => publishing(define([ID], 1, 'nope'))).toThrow(/no field nope/);
  });
});
