import { z } from 'zod';
import type { Analysis } from '../entities/analysis.entity.js';

const colour = z.object({
  name: z.string(),
  hex: z.string(),
  lab: z.object({ l: z.number(), a: z.number(), b: z.number() }).describe('OKLab'),
  share: z.number().describe('0 to 1'),
});

/** The form of the answer, for the OpenAPI page. */
export const AnalysisSchema = z.object({
  id: z.uuid(),
  state: z.enum(['received', 'analysing', 'done', 'failed']),
  steps: z.array(z.object({ name: z.string(), service: z.string(), at: z.iso.datetime() })),
  result: z
    .object({
      model: z.string(),
      durationMs: z.int(),
      garment: z.object({
        present: z.boolean(),
        box: z.object({ left: z.int(), top: z.int(), right: z.int(), bottom: z.int() }).nullable(),
      }),
      palette: z.array(colour),
      pattern: z.object({
        kind: z.enum(['plain', 'striped', 'checked', 'dotted', 'other']),
        confidence: z.number(),
      }),
      brightness: z.number(),
      contrast: z.number(),
      temperature: z.enum(['cool', 'neutral', 'warm']),
      formality: z.object({
        level: z.enum(['casual', 'smart-casual', 'business', 'formal', 'unknown']),
        reasons: z.array(z.string()),
      }),
    })
    .nullable(),
  failure: z.object({ reason: z.string(), detail: z.string() }).nullable(),
});

export type AnalysisView = z.output<typeof AnalysisSchema>;

/** What a client gets of an analysis. Enums of the events become the words of the API. */
export function viewOf({ id, state, steps, result, failure }: Analysis): AnalysisView {
  return {
    id,
    state,
    steps,
    result: result === null ? null : (inWords(result) as AnalysisView['result']),
    failure,
  };
}

/** `SMART_CASUAL` -> `smart-casual`, wherever an enum's symbol stands. */
function inWords(value: unknown): unknown {
  if (typeof value === 'string')
    return /^[A-Z]+(_[A-Z]+)*$/.test(value) ? value.toLowerCase().replaceAll('_', '-') : value;
  if (Array.isArray(value)) return value.map(inWords);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, inWords(part)]));
}
