// Generated from schemas/ by tools/codegen. Change the schema instead, then: npx nx run @aura/schemas:codegen
import { defineEvent, type EventType } from '@aura/contracts';

/** A photo passed the checks at the door and is kept by the gateway: turned upright, without metadata. Its bytes are fetched by id; nothing here says who sent it. */
export interface PhotoReceived {
  /** Given by the gateway. UUID. */
  readonly photoId: string;
  /** SHA-256 of the stored, cleaned bytes, 64 hex digits: the same photo, the same hash. */
  readonly contentHash: string;
  /** Of the stored bytes. */
  readonly mediaType: PhotoReceivedMediaType;
  /** Pixels of the upright picture. */
  readonly width: number;
  /** Pixels of the upright picture. */
  readonly height: number;
  /** Of the stored bytes. */
  readonly sizeBytes: number;
  readonly receivedAt: Date;
}

export type PhotoReceivedMediaType = 'JPEG' | 'PNG' | 'WEBP';

/** A photo passed the checks at the door and is kept by the gateway: turned upright, without metadata. Its bytes are fetched by id; nothing here says who sent it. Key: `photoId`. Newest revision: 1. */
export const PhotoReceived: EventType<PhotoReceived> = defineEvent<PhotoReceived>({
  service: 'gateway',
  version: 1,
  keyField: 'photoId',
  schema: {
    type: 'record',
    name: 'PhotoReceived',
    namespace: 'gateway',
    doc: 'A photo passed the checks at the door and is kept by the gateway: turned upright, without metadata. Its bytes are fetched by id; nothing here says who sent it.',
    'aura.key': 'photoId',
    fields: [
      { name: 'photoId', type: { type: 'string', logicalType: 'uuid' }, doc: 'Given by the gateway.' },
      {
        name: 'contentHash',
        type: 'string',
        doc: 'SHA-256 of the stored, cleaned bytes, 64 hex digits: the same photo, the same hash.',
      },
      {
        name: 'mediaType',
        type: { type: 'enum', name: 'MediaType', symbols: ['JPEG', 'PNG', 'WEBP'] },
        doc: 'Of the stored bytes.',
      },
      { name: 'width', type: 'int', doc: 'Pixels of the upright picture.' },
      { name: 'height', type: 'int', doc: 'Pixels of the upright picture.' },
      { name: 'sizeBytes', type: 'int', doc: 'Of the stored bytes.' },
      { name: 'receivedAt', type: { type: 'long', logicalType: 'timestamp-millis' } },
    ],
  },
});
