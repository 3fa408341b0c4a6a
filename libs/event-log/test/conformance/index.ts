/**
 * The one conformance suite of the event log's port: an adapter passes it, or it is none.
 *
 *     describeEventLog('postgres', async () => harness);
 *
 * Each test names the guarantee of the port (L1 to L6) or the hole (H…) that it would miss.
 */
import { describe } from 'vitest';
import { appending } from './appending.js';
import { groups } from './groups.js';
import type { Harness } from './harness.js';
import { outages } from './outages.js';
import { positions } from './positions.js';
import { reading } from './reading.js';
import { subscribing } from './subscribing.js';
import { Suite } from './suite.js';

export type { Harness, OwnServer } from './harness.js';

export function describeEventLog(name: string, prepare: () => Promise<Harness>): void {
  describe(`event log on ${name}`, () => {
    const suite = new Suite(prepare);
    describe('appending', () => appending(suite));
    describe('reading', () => reading(suite));
    describe('subscribing', () => subscribing(suite));
    describe('positions', () => positions(suite));
    describe('groups', () => groups(suite));
    describe('outages', () => outages(suite));
  });
}
