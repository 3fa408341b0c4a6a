// Generated from schemas/ by tools/codegen. Change the schema instead, then: npx nx run @aura/schemas:codegen
import { defineEvent, type EventType } from '@aura/contracts';

/** What the pixels of a photo say of the garment in it. The same bytes and the same model give the same answer. */
export interface PhotoAnalysed {
  /** UUID. */
  readonly photoId: string;
  /** SHA-256 of the bytes that were analysed, 64 hex digits. */
  readonly contentHash: string;
  /** Name and version of the analyser. */
  readonly model: string;
  /** How long the pixels took, in ms. */
  readonly durationMs: number;
  /** The person or garment apart from the background. */
  readonly garment: PhotoAnalysedGarment;
  /** Largest share first. */
  readonly palette: readonly PhotoAnalysedPaletteColour[];
  readonly pattern: PhotoAnalysedPattern;
  /** Of the garment, 0 (black) to 1 (white). */
  readonly brightness: number;
  /** Within the garment, 0 (one tone) to 1. */
  readonly contrast: number;
  readonly temperature: PhotoAnalysedTemperature;
  readonly formality: PhotoAnalysedFormality;
}

export interface PhotoAnalysedGarment {
  /** False: palette and pattern describe the whole picture. */
  readonly present: boolean;
  /** Null where no garment was found. */
  readonly box: null | PhotoAnalysedBox;
}

/** Pixels of the upright picture, from its upper left corner; right and bottom are exclusive. */
export interface PhotoAnalysedBox {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

export interface PhotoAnalysedPaletteColour {
  /** An English colour name. */
  readonly name: string;
  /** sRGB as #rrggbb. */
  readonly hex: string;
  readonly lab: PhotoAnalysedLab;
  /** Of the garment's pixels, 0 to 1. */
  readonly share: number;
}

/** OKLab (D65): l from 0 to 1, a and b about -0.4 to 0.4. */
export interface PhotoAnalysedLab {
  readonly l: number;
  readonly a: number;
  readonly b: number;
}

export interface PhotoAnalysedPattern {
  readonly kind: PhotoAnalysedPatternKind;
  /** 0 to 1. */
  readonly confidence: number;
}

export type PhotoAnalysedPatternKind = 'PLAIN' | 'STRIPED' | 'CHECKED' | 'DOTTED' | 'OTHER';

export type PhotoAnalysedTemperature = 'COOL' | 'NEUTRAL' | 'WARM';

export interface PhotoAnalysedFormality {
  readonly level: PhotoAnalysedFormalityLevel;
  /** English sentences for a person; empty where the level is UNKNOWN and nothing was seen. */
  readonly reasons: readonly string[];
}

export type PhotoAnalysedFormalityLevel = 'CASUAL' | 'SMART_CASUAL' | 'BUSINESS' | 'FORMAL' | 'UNKNOWN';

/** What the pixels of a photo say of the garment in it. The same bytes and the same model give the same answer. Key: `photoId`. Newest revision: 1. */
export const PhotoAnalysed: EventType<PhotoAnalysed> = defineEvent<PhotoAnalysed>({
  service: 'image-analysis',
  version: 1,
  keyField: 'photoId',
  schema: {
    type: 'record',
    name: 'PhotoAnalysed',
    namespace: 'image_analysis',
    doc: 'What the pixels of a photo say of the garment in it. The same bytes and the same model give the same answer.',
    'aura.key': 'photoId',
    fields: [
      { name: 'photoId', type: { type: 'string', logicalType: 'uuid' } },
      { name: 'contentHash', type: 'string', doc: 'SHA-256 of the bytes that were analysed, 64 hex digits.' },
      { name: 'model', type: 'string', doc: 'Name and version of the analyser.' },
      { name: 'durationMs', type: 'int', doc: 'How long the pixels took, in ms.' },
      {
        name: 'garment',
        doc: 'The person or garment apart from the background.',
        type: {
          type: 'record',
          name: 'Garment',
          fields: [
            {
              name: 'present',
              type: 'boolean',
              doc: 'False: palette and pattern describe the whole picture.',
            },
            {
              name: 'box',
              doc: 'Null where no garment was found.',
              type: [
                'null',
                {
                  type: 'record',
                  name: 'Box',
                  doc: 'Pixels of the upright picture, from its upper left corner; right and bottom are exclusive.',
                  fields: [
                    { name: 'left', type: 'int' },
                    { name: 'top', type: 'int' },
                    { name: 'right', type: 'int' },
                    { name: 'bottom', type: 'int' },
                  ],
                },
              ],
            },
          ],
        },
      },
      {
        name: 'palette',
        doc: 'Largest share first.',
        type: {
          type: 'array',
          items: {
            type: 'record',
            name: 'PaletteColour',
            fields: [
              { name: 'name', type: 'string', doc: 'An English colour name.' },
              { name: 'hex', type: 'string', doc: 'sRGB as #rrggbb.' },
              {
                name: 'lab',
                type: {
                  type: 'record',
                  name: 'Lab',
                  doc: 'OKLab (D65): l from 0 to 1, a and b about -0.4 to 0.4.',
                  fields: [
                    { name: 'l', type: 'double' },
                    { name: 'a', type: 'double' },
                    { name: 'b', type: 'double' },
                  ],
                },
              },
              { name: 'share', type: 'double', doc: "Of the garment's pixels, 0 to 1." },
            ],
          },
        },
      },
      {
        name: 'pattern',
        type: {
          type: 'record',
          name: 'Pattern',
          fields: [
            {
              name: 'kind',
              type: {
                type: 'enum',
                name: 'PatternKind',
                symbols: ['PLAIN', 'STRIPED', 'CHECKED', 'DOTTED', 'OTHER'],
              },
            },
            { name: 'confidence', type: 'double', doc: '0 to 1.' },
          ],
        },
      },
      { name: 'brightness', type: 'double', doc: 'Of the garment, 0 (black) to 1 (white).' },
      { name: 'contrast', type: 'double', doc: 'Within the garment, 0 (one tone) to 1.' },
      {
        name: 'temperature',
        type: { type: 'enum', name: 'Temperature', symbols: ['COOL', 'NEUTRAL', 'WARM'] },
      },
      {
        name: 'formality',
        type: {
          type: 'record',
          name: 'Formality',
          fields: [
            {
              name: 'level',
              type: {
                type: 'enum',
                name: 'FormalityLevel',
                symbols: ['CASUAL', 'SMART_CASUAL', 'BUSINESS', 'FORMAL', 'UNKNOWN'],
              },
            },
            {
              name: 'reasons',
              doc: 'English sentences for a person; empty where the level is UNKNOWN and nothing was seen.',
              type: { type: 'array', items: 'string' },
            },
          ],
        },
      },
    ],
  },
});

/** The analysis of a photo ended without an answer, for good. */
export interface PhotoAnalysisFailed {
  /** UUID. */
  readonly photoId: string;
  readonly reason: PhotoAnalysisFailedFailureReason;
  /** A sentence for a person; no stack, no address. */
  readonly detail: string;
  /** How many were made. */
  readonly attempts: number;
}

export type PhotoAnalysisFailedFailureReason = 'PHOTO_NOT_FOUND' | 'PHOTO_UNREADABLE' | 'INTERNAL';

/** The analysis of a photo ended without an answer, for good. Key: `photoId`. Newest revision: 1. */
export const PhotoAnalysisFailed: EventType<PhotoAnalysisFailed> = defineEvent<PhotoAnalysisFailed>({
  service: 'image-analysis',
  version: 1,
  keyField: 'photoId',
  schema: {
    type: 'record',
    name: 'PhotoAnalysisFailed',
    namespace: 'image_analysis',
    doc: 'The analysis of a photo ended without an answer, for good.',
    'aura.key': 'photoId',
    fields: [
      { name: 'photoId', type: { type: 'string', logicalType: 'uuid' } },
      {
        name: 'reason',
        type: {
          type: 'enum',
          name: 'FailureReason',
          symbols: ['PHOTO_NOT_FOUND', 'PHOTO_UNREADABLE', 'INTERNAL'],
        },
      },
      { name: 'detail', type: 'string', doc: 'A sentence for a person; no stack, no address.' },
      { name: 'attempts', type: 'int', doc: 'How many were made.' },
    ],
  },
});

/** An attempt to analyse a photo began. For progress only: a crash may leave it without an end, and the next attempt says so again. */
export interface PhotoAnalysisStarted {
  /** UUID. */
  readonly photoId: string;
  /** From 1. */
  readonly attempt: number;
  readonly startedAt: Date;
}

/** An attempt to analyse a photo began. For progress only: a crash may leave it without an end, and the next attempt says so again. Key: `photoId`. Newest revision: 1. */
export const PhotoAnalysisStarted: EventType<PhotoAnalysisStarted> = defineEvent<PhotoAnalysisStarted>({
  service: 'image-analysis',
  version: 1,
  keyField: 'photoId',
  schema: {
    type: 'record',
    name: 'PhotoAnalysisStarted',
    namespace: 'image_analysis',
    doc: 'An attempt to analyse a photo began. For progress only: a crash may leave it without an end, and the next attempt says so again.',
    'aura.key': 'photoId',
    fields: [
      { name: 'photoId', type: { type: 'string', logicalType: 'uuid' } },
      { name: 'attempt', type: 'int', doc: 'From 1.' },
      { name: 'startedAt', type: { type: 'long', logicalType: 'timestamp-millis' } },
    ],
  },
});
