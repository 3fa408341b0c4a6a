import { HEADER, parseEventHeaders } from '@aura/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { insertOutboxRows } from './outbox.js';
import { entryRow, OutboxKit } from '../../test/outbox-kit.js';

let kit: OutboxKit;
beforeEach(async () => {
  kit = await OutboxKit.make('relay');
});
afterEach(() => kit.drop());

describe('the relay', () => {
  it('E1: publishes what was committed, with its headers, and not what was rolled back', async () => {
    const writer = await kit.database.client();
    await writer.query('begin');
    await kit.raise(entryRow('anna', 1), entryRow('ben', 1));
    await insertOutboxRows(writer, [entryRow('carl', 1)]);
    await writer.query('rollback');
    await kit.raise(entryRow('anna', 2));
    const relay = kit.relay();
    await relay.runOnce();
    const records = await kit.published();
    expect(records.map((r) => r.key).toSorted()).toEqual(['anna', 'anna', 'ben']);
    const headers = records.map((r) => parseEventHeaders(r.headers));
    expect(headers.map((h) => String(h.sequence)).toSorted()).toEqual(['1', '2', '4']);
    expect(headers[0]).toMatchObject({ type: 'ledger.Entry', source: 'ledger' });
    expect(records[0]?.headers[HEADER.subject]).toBe(records[0]?.key);
    expect(await kit.cursor()).toMatchObject({ position: 4n, pending: [] });
  });
});
