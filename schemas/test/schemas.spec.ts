import { AvroCodec, Contracts, type BranchType, type EventType, type NewEvent } from '@aura/contracts';
import { describe, expect, it } from 'vitest';
import * as schemas from '../src/index.js';
import {
  PhotoAnalysed,
  PhotoAnalysisFailed,
  PhotoAnalysisStarted,
  PhotoReceived,
  PurchaseReturned,
} from '../src/index.js';

/** The key of every example. */
const photoId = '0199b0c5-1234-7abc-8def-000000000001';
const at = new Date('2026-11-24T20:15:00.123Z');
const types: EventType[] = Object.values(schemas).filter((token) => 'topic' in token);
const branches: BranchType[] = Object.values(schemas).filter((token) => 'coordinators' in token);

const EXAMPLES: NewEvent[] = [
  PhotoReceived.of({
    photoId,
    contentHash: 'ab',
    mediaType: 'JPEG',
    width: 1,
    height: 2,
    sizeBytes: 3,
    receivedAt: at,
  }),
  PhotoAnalysisStarted.of({ photoId, attempt: 1, startedAt: at }),
  PhotoAnalysed.of({
    photoId,
    contentHash: 'ab',
    model: 'pixels 1',
    durationMs: 20,
    garment: { present: true, box: { left: 0, top: 1, right: 2, bottom: 3 } },
    palette: [{ name: 'navy', hex: '#000080', lab: { l: 0.27, a: -0.01, b: -0.16 }, share: 0.5 }],
    pattern: { kind: 'PLAIN', confidence: 0.9 },
    brightness: 0.2,
    contrast: 0.1,
    temperature: 'COOL',
    formality: { level: 'UNKNOWN', reasons: [] },
  }),
  PurchaseReturned.of({
    purchaseId: photoId,
    returnId: '0199b0c5-1234-7abc-8def-000000000002',
    items: [{ sku: 'SHI-101-WHT', size: 'M', quantity: 1 }],
    refundCents: 4_990,
    currency: 'EUR',
    noticedAt: at,
  }),
  PhotoAnalysisFailed.of({ photoId, reason: 'PHOTO_UNREADABLE', detail: 'truncated', attempts: 5 }),
];

describe('every event type of the system', () => {
  const contracts = new Contracts({ publishes: types, subscribes: types });

  it.each(EXAMPLES.map((event) => [event.type.name, event] as const))(
    '%s goes out and comes in',
    (_, event) => {
      const { body, key, fingerprint } = contracts.encode(event);
      expect(key).toBe(photoId);
      const framed = Buffer.concat([Buffer.alloc(5), body]);
      const none = { schemaById: () => Promise.reject(new Error('not needed')) };
      expect(contracts.decode(event.type, framed, none, fingerprint)).toEqual(event.payload);
    },
  );

  it('has an example here', () => {
    expect(new Set(EXAMPLES.map((event) => event.type.name))).toEqual(
      new Set(types.map((type) => type.name)),
    );
  });
});

describe('every branch of sagas', () => {
  it.each(branches.map((branch) => [branch.name, branch] as const))(
    '%s has an input that compiles',
    (_, branch) => {
      expect(new AvroCodec(branch.name, branch.schema).fingerprint).toBe(branch.fingerprint);
      expect(branch.coordinators).not.toContain(branch.service);
    },
  );
});
