import { kindOf } from '@aura/platform';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  fingerprintOf,
  SchemaRefusedError,
  UnknownSchemaIdError,
  type AvroSchema,
  type SchemaRegistry,
} from '../src/index.js';
import { CASES } from './compatibility-cases.js';
import { ADAPTERS, uniqueName, type RegistryUnderTest } from './registries.js';

function record(namespace: string, ...fields: object[]): AvroSchema {
  const id = { name: 'id', type: { type: 'string', logicalType: 'uuid' }, doc: 'The key.' };
  const amount = {
    name: 'amount',
    type: { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 2 },
    default: '\0',
  };
  return {
    type: 'record',
    name: 'R',
    namespace,
    doc: 'A test.',
    'aura.key': 'id',
    fields: [id, amount, ...fields],
  };
}
const added = (name: string): object => ({ name, type: ['null', 'string'], default: null });

describe.each(ADAPTERS)('$kind registry', ({ make, skip }) => {
  describe.skipIf(skip)('conformance', () => {
    let server: RegistryUnderTest;
    let registry: SchemaRegistry;
    beforeAll(async () => {
      server = await make();
      registry = server.open();
    });
    afterAll(async () => server.drop());

    it('answers a ping', async () => {
      await expect(registry.ping(5_000)).resolves.toBeUndefined();
    });

    it('gives a schema back whole: logical types, defaults, attributes', async () => {
      const subject = uniqueName();
      const schema = record(subject);
      const id = await registry.register(subject, schema);
      const found = await server.open().schemaById(id);
      expect(found).toEqual(schema);
      expect(fingerprintOf(found)).toBe(fingerprintOf(schema));
    });

    it('registers the same schema once, whoever asks and however often', async () => {
      const subject = uniqueName();
      const schema = record(subject);
      const ids = await Promise.all(Array.from({ length: 8 }, () => server.open().register(subject, schema)));
      expect(new Set(ids).size).toBe(1);
      expect(await registry.register(subject, schema)).toBe(ids[0]);
    });

    it("gives another revision another id, and keeps the first one's", async () => {
      const subject = uniqueName();
      const first = await registry.register(subject, record(subject));
      const second = await registry.register(subject, record(subject, added('b')));
      expect(second).not.toBe(first);
      expect(await server.open().register(subject, record(subject))).toBe(first);
    });

    it('refuses an incompatible schema with the field and the reason, as terminal', async () => {
      const subject = uniqueName();
      await registry.register(subject, record(subject));
      const refused = registry.register(subject, record(subject, { name: 'b', type: 'int' }));
      await expect(refused).rejects.toThrow(SchemaRefusedError);
      await expect(refused).rejects.toThrow(/b: is not written and has no default/);
      expect(kindOf(await refused.catch((error: unknown) => error))).toBe('terminal');
    });

    it('refuses what only an older revision refuses', async () => {
      const subject = uniqueName();
      await registry.register(subject, record(subject, { name: 'v', type: 'int', default: 0 }));
      await registry.register(subject, record(subject));
      const late = registry.register(subject, record(subject, { name: 'v', type: 'string', default: '' }));
      await expect(late).rejects.toThrow(SchemaRefusedError);
    });

    it('says of an id that it never gave that it is unknown, as terminal', async () => {
      const asked = registry.schemaById(2_000_000_000);
      await expect(asked).rejects.toThrow(UnknownSchemaIdError);
      expect(kindOf(await asked.catch((error: unknown) => error))).toBe('terminal');
    });
  });

  // The embedded registry must not decide otherwise than the one that production runs.
  describe.skipIf(skip)('verdicts', () => {
    let server: RegistryUnderTest;
    beforeAll(async () => {
      server = await make();
    });
    afterAll(async () => server.drop());

    it.each(CASES.map((c) => [c.name, c] as const))('%s', async (_, { earlier, later, refused }) => {
      const registry = server.open();
      const subject = uniqueName();
      for (const schema of earlier) await registry.register(subject, schema);
      const verdict = registry.register(subject, later);
      if (refused) await expect(verdict).rejects.toThrow(SchemaRefusedError);
      else await expect(verdict).resolves.toEqual(expect.any(Number));
    });
  });
});
