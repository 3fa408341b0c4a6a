import { randomUUID } from 'node:crypto';
import { testDatabase, type TestDatabase } from '@aura/testing';
import { ConfluentRegistry, PostgresRegistry, type SchemaRegistry } from '../src/index.js';

/** A running registry of one kind, for tests: `open` gives another client of the same one. */
export interface RegistryUnderTest {
  open(): SchemaRegistry;
  drop(): Promise<void>;
}

export const CONFLUENT_URL = process.env['SCHEMA_REGISTRY_URL'];
if (!CONFLUENT_URL && process.env['AURA_REQUIRE_KAFKA'])
  throw new Error(
    'AURA_REQUIRE_KAFKA is set, but SCHEMA_REGISTRY_URL is not: the Confluent suites would be skipped',
  );

async function postgres(): Promise<RegistryUnderTest> {
  const database: TestDatabase = await testDatabase('registry');
  const opened: SchemaRegistry[] = [];
  return {
    open() {
      const registry = new PostgresRegistry({ database: database.url });
      opened.push(registry);
      return registry;
    },
    async drop() {
      await Promise.all(opened.map((registry) => registry.close()));
      await database.drop();
    },
  };
}

async function confluent(): Promise<RegistryUnderTest> {
  return { open: () => new ConfluentRegistry({ url: CONFLUENT_URL ?? '' }), drop: async () => undefined };
}

/** Both adapters; the second only where a Confluent-compatible registry is given. */
export const ADAPTERS = [
  { kind: 'postgres', make: postgres, skip: false },
  { kind: 'confluent', make: confluent, skip: !CONFLUENT_URL },
] as const;

/** A subject and a namespace that no other run uses: registries are shared and keep everything. */
export function uniqueName(): string {
  return `t${randomUUID().replaceAll('-', '')}`;
}
