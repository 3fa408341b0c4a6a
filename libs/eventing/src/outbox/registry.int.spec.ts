import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Contracts, parseEventHeaders, type SchemaRegistry } from '@aura/contracts';
import { TerminalError, TransientError } from '@aura/platform';
import { settled } from '@aura/testing';
import { Entry, entryRow, ledger, MemoryRegistry, OutboxKit } from '../../test/outbox-kit.js';

let kit: OutboxKit;
beforeEach(async () => {
  kit = await OutboxKit.make('relay_registry');
});
afterEach(() => kit.drop());

/** As a reader would that has met no schema yet: by the frame's id alone, and that by a registry. */
async function read(value: Buffer | undefined, registry: SchemaRegistry): Promise<object> {
  const stranger = new Contracts({ publishes: [], subscribes: [Entry] });
  return stranger.decode(Entry, value ?? Buffer.alloc(0), registry);
}

describe('H35', () => {
  it('H35: a rebuilt registry has other ids: every record is framed by the one that is there', async () => {
    const rebuilt = new MemoryRegistry(500);
    await rebuilt.register('other.events-other.Thing', 'string'); // takes the id that ours would have had
    let current: MemoryRegistry = new MemoryRegistry(1);
    let nowMs = 0;
    const registry: SchemaRegistry = {
      register: (subject, schema) => current.register(subject, schema),
      schemaById: (id) => current.schemaById(id),
      ping: () => Promise.resolve(),
      close: () => Promise.resolve(),
    };
    const relay = kit.relay({ registry, nowMs: () => nowMs });
    await kit.raise(entryRow('anna', 1));
    current = new MemoryRegistry(40);
    await relay.runOnce();
    const [first] = await kit.published();
    expect(await read(first?.value, current)).toEqual({ account: 'anna', serial: 1n, note: '' });
    current = rebuilt;
    nowMs += 60_000; // the age at which ids are asked for again
    await kit.raise(entryRow('anna', 2));
    await relay.runOnce();
    const [, second] = await kit.published();
    expect(await read(second?.value, rebuilt)).toMatchObject({ serial: 2n });
    await expect(read(first?.value, rebuilt)).rejects.toThrow();
    // Those that carry an id of the old registry are read by the fingerprint in their headers.
    const { fingerprint } = parseEventHeaders(first?.headers ?? {});
    expect(await ledger.decode(Entry, first?.value ?? Buffer.alloc(0), rebuilt, fingerprint)).toMatchObject({
      serial: 1n,
    });
  });
});

describe('the registry', () => {
  it('E5: away, with a schema that is new to it: waits, drops and parks nothing', async () => {
    const registry = new MemoryRegistry();
    registry.away = new TransientError('registry away');
    const relay = kit.relay({ registry, limits: { backoff: { initialMs: 1, maxMs: 10 } } });
    await kit.raise(entryRow('anna', 1), entryRow('anna', 2), entryRow('ben', 1));
    await relay.runOnce();
    expect(relay.status().lastError?.message).toBe('registry away');
    expect(await kit.cursor()).toMatchObject({ position: 3n, pending: ['1', '2', '3'] });
    registry.away = undefined;
    await settled('all is published', async () => {
      await relay.runOnce();
      return (await kit.published()).length === 3;
    });
    expect(relay.status().parkedKeys).toBe(0);
  });

  it('is asked once per schema, and one that is away later stops nobody', async () => {
    const registry = new MemoryRegistry();
    let nowMs = 0;
    const relay = kit.relay({ registry, nowMs: () => nowMs });
    await kit.raise(entryRow('anna', 1));
    await relay.runOnce();
    await kit.raise(entryRow('anna', 2));
    await relay.runOnce();
    expect(registry.registrations).toBe(1);
    registry.away = new TransientError('registry away');
    nowMs += 120_000;
    await kit.raise(entryRow('anna', 3));
    await relay.runOnce();
    expect(await kit.published()).toHaveLength(3);
  });

  it('E6: refuses a schema for good: its keys are parked, in sight', async () => {
    const registry = new MemoryRegistry();
    registry.away = new TerminalError('incompatible: field note');
    const relay = kit.relay({ registry });
    await kit.raise(entryRow('anna', 1), entryRow('anna', 2), entryRow('ben', 1));
    await relay.runOnce();
    const { rows } = await kit.pool.query('select key, position from aura.relay_parked_key order by key');
    expect(rows).toEqual([
      { key: 'anna', position: '1' },
      { key: 'ben', position: '3' },
    ]);
  });
});
