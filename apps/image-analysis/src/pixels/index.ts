import { Analyser } from './analyser.js';
import type { Analysis } from './analysis.js';

export { Analyser, type AnalyserOptions } from './analyser.js';
export { COLOUR_NAMES } from './analysis.js';
export type {
  Analysis,
  Box,
  ColourName,
  FormalityLevel,
  Lab,
  PaletteColour,
  PatternKind,
  Temperature,
} from './analysis.js';
export { AnalyserBusyError, AnalysisTimeoutError, UnreadablePictureError } from './errors.js';

let shared: Analyser | undefined;

/**
 * Analyses one picture on the process's own analyser, made with default limits when first used. See
 * `Analyser`.
 */
export function analyse(bytes: Buffer, signal?: AbortSignal): Promise<Analysis> {
  shared ??= new Analyser();
  return shared.analyse(bytes, signal);
}
